"""What the pages share: the frame around each, cached resources, widgets. The only Streamlit outside the pages."""
