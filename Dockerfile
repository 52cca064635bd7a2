# Two slim images, each with its own dependencies only: the gateway's has the page, but neither pandas
# nor alpaca-py. Build with `docker build --target gateway -t tapecast-gateway .`, likewise `ingest`.

FROM node:24-slim AS page
ENV npm_config_cache=/var/cache/npm
WORKDIR /source/web
COPY web/package.json web/package-lock.json ./
RUN --mount=type=cache,target=/var/cache/npm npm ci --ignore-scripts --no-audit --no-fund
COPY web ./
RUN npm run build:page

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CACHE_DIR=/var/cache/pip
WORKDIR /source
RUN python -m venv /opt/tapecast
ENV PATH=/opt/tapecast/bin:$PATH
COPY pyproject.toml constraints.txt README.md LICENSE standalone.py tapecast.py ./
COPY shared ./shared
COPY ingest ./ingest
COPY gateway ./gateway
COPY simulator ./simulator

FROM build AS build-ingest
RUN --mount=type=cache,target=/var/cache/pip pip install -c constraints.txt ".[ingest]"

FROM build AS build-gateway
COPY --from=page /source/gateway/http/page ./gateway/http/page
RUN --mount=type=cache,target=/var/cache/pip pip install -c constraints.txt ".[gateway]"

FROM python:3.13-slim AS runtime
RUN useradd --system --no-create-home --shell /usr/sbin/nologin tapecast
ENV PATH=/opt/tapecast/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /srv
USER tapecast

FROM runtime AS ingest
COPY --from=build-ingest /opt/tapecast /opt/tapecast
CMD ["python", "-m", "ingest"]

FROM runtime AS gateway
COPY --from=build-gateway /opt/tapecast /opt/tapecast
ENV HOST=0.0.0.0 PORT=8001
EXPOSE 8001
CMD ["python", "-m", "gateway"]
