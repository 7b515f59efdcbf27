# One image for the app and the API; compose.yaml says which of them a container runs.
FROM python:3.11.9-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    TF_CPP_MIN_LOG_LEVEL=2 \
    MALLOC_ARENA_MAX=2

RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin dermascan
WORKDIR /app

COPY requirements.txt requirements-postgres.txt ./
# Without bytecode TensorFlow's import takes three times as long, in every container.
RUN python -m pip install --compile -r requirements.txt -r requirements-postgres.txt \
    && python -c "import cv2, fastapi, keras, psycopg, streamlit"

COPY .streamlit ./.streamlit
COPY dermascan_core ./dermascan_core
COPY pages ./pages
COPY weights ./weights
COPY streamlit_app.py ./
RUN python -m compileall -qq dermascan_core pages streamlit_app.py \
    && install -d -o dermascan -g dermascan data data/api data/records

USER dermascan
EXPOSE 8501 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=4)"]
CMD ["python", "-m", "streamlit", "run", "streamlit_app.py", "--server.address", "0.0.0.0", "--server.port", "8501", "--server.headless", "true"]
