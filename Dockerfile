# One image for every part: `docker run spotbot run`, `web`, `worker`, `slack`, `discord`, `doctor`, `ask monitor` ...
FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/spotbot
COPY constraints.txt ./
RUN /opt/spotbot/bin/python -m pip install --no-deps --require-hashes -r constraints.txt
COPY pyproject.toml README.md LICENSE ./
COPY analytics analytics
COPY bot bot
RUN /opt/spotbot/bin/python -m pip install --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN groupadd --gid 10001 spotbot \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin spotbot \
    && install -d -o 10001 -g 10001 -m 700 /data
COPY --from=build /opt/spotbot /opt/spotbot
COPY deploy/healthcheck.py /opt/spotbot/healthcheck.py
# The SQLite file is in the volume, which the first start gives to this user; matplotlib wants a folder to write to.
ENV PATH=/opt/spotbot/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    SPOTBOT_HOST=0.0.0.0 \
    PORT=8080 \
    DATABASE_URL=sqlite:////data/spotbot.db
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["python", "/opt/spotbot/healthcheck.py"]
ENTRYPOINT ["spotbot"]
CMD ["run"]
