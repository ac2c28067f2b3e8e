# One image for every process; docker-compose.yml says which one a container runs.
FROM python:3.13-slim AS build
RUN python -m venv /opt/venv
WORKDIR /srv/batchline
COPY requirements.lock ./
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE Procfile ./
COPY app ./app
COPY batchline ./batchline
COPY handlers ./handlers
COPY workers ./workers
COPY examples ./examples
# In place, so that the Procfile stays beside the code.
RUN /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation -e . \
    && /opt/venv/bin/python -m compileall -q app batchline handlers workers

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /srv/batchline --shell /usr/sbin/nologin batchline \
    && install -d -o batchline -g batchline -m 0700 /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv/batchline /srv/batchline
WORKDIR /srv/batchline
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    BATCHLINE_HOME=/data \
    BIND_HOST=0.0.0.0 \
    LOG_FORMAT=json
USER batchline
VOLUME /data
EXPOSE 8000 5555
STOPSIGNAL SIGTERM
ENTRYPOINT []
# Alone, the image is everything at once, servers included, like `make run`.
CMD ["batchline", "serve"]
