"""The demo clinic on screen: offered where nothing is kept yet, marked while it is there, removed by one click."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dermascan_core.services import models

from .model import get_predictor
from .records import now_utc
from .turns import wait_for_turn

if TYPE_CHECKING:
    from dermascan_core.services.access import User
    from dermascan_core.services.records import Records


def offer_demo(records: Records, user: User) -> None:
    """Offer to fill an empty clinic with made-up people, or to remove them."""
    from dermascan_core.services.demo_clinic import count_demo_people, fill_demo_clinic, remove_demo_clinic

    n_people = count_demo_people(records)
    if n_people:
        st.info(
            f"A demo clinic of {n_people} made-up people is here. It counts in no figure.", icon=":material/science:"
        )
        if st.button("Remove the demo clinic", key="remove_demo", icon=":material/delete:"):
            remove_demo_clinic(records, actor=user.name, now=now_utc())
            st.rerun()
        return
    st.caption("Just looking? Made-up people with generated pictures show how it works.")
    if st.button("Fill with a demo clinic", key="fill_demo", icon=":material/science:"):
        predictor = get_predictor(models.DEFAULT_MODEL)
        bar = st.progress(0.0, text="Drawing people who do not exist")

        def tell(done: int, total: int) -> None:
            bar.progress(done / total, text=f"{done} of {total}")

        with wait_for_turn(lambda words: bar.progress(0.0, text=words)):
            fill_demo_clinic(records, predictor, actor=user.name, now=now_utc(), on_progress=tell)
        st.rerun()
