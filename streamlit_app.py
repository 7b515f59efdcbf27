"""The map: which pages exist, in which section, under which title. No logic."""

import sys

import streamlit as st

SUPPORTED_PYTHONS = ((3, 11), (3, 12))

if sys.version_info[:2] not in SUPPORTED_PYTHONS:
    st.error(
        f"DermaScan needs Python 3.11 or 3.12. This is Python {sys.version_info[0]}.{sys.version_info[1]}. "
        "Install one of them, then start again with: make run"
    )
    st.stop()

from pages._ui.access import visibility  # noqa: E402  what an older Python could not import waits until it was told

# No icons: the browser would fetch each page's from Google, for its tab.
page = st.navigation(
    {
        "Check": [
            st.Page("pages/screening.py", title="Screening", default=True),
            st.Page("pages/compare_moles.py", title="Compare your moles"),
            st.Page("pages/triage.py", title="Triage"),
        ],
        "Learn": [
            st.Page("pages/know_your_skin.py", title="Know your skin"),
            st.Page("pages/performance.py", title="Model performance"),
            st.Page("pages/about.py", title="About"),
        ],
        "Clinic": [
            st.Page("pages/review.py", title="Review", visibility=visibility("review")),
            st.Page("pages/case_history.py", title="Case history", visibility=visibility("case_history")),
            st.Page("pages/outcomes.py", title="Against biopsy", visibility=visibility("outcomes")),
            st.Page("pages/accounts.py", title="Accounts", visibility=visibility("accounts")),
            st.Page("pages/login.py", title="Login", visibility=visibility("login")),
        ],
    }
)
page.run()
