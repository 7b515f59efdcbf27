"""How Alembic reaches the database: by the connection that ``Database.upgrade`` hands over."""

from alembic import context

from dermascan_core.storage.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
