"""DermaScan's core: imaging, model, triage and services, importable without Streamlit or Keras."""

__version__ = "0.1.0"
