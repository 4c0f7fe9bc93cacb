# The service as an image: docs/operate/containers.md. Nothing here is a secret, and none is ever built in.
# A tag is moved by its publisher. Who wants the very same base each time names it by digest:
#   docker build --build-arg PYTHON=docker.io/library/python@sha256:… .
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /build
# The venv has no pip of its own: what runs later cannot install anything.
RUN python3 -m venv tools && python3 -m venv --without-pip /opt/vms-privacy
COPY requirements-build.lock requirements.lock ./
# Every package is one that the lock names by its hash, and none is compiled here.
RUN tools/bin/pip install --no-cache-dir --no-deps --only-binary=:all: --require-hashes -r requirements-build.lock \
 && tools/bin/pip --python /opt/vms-privacy install --no-cache-dir --no-deps --only-binary=:all: --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY archive archive
COPY auth auth
COPY streams streams
COPY vms_privacy vms_privacy
RUN tools/bin/pip wheel --no-cache-dir --no-deps --no-index --no-build-isolation --wheel-dir wheels . \
 && tools/bin/pip --python /opt/vms-privacy install --no-cache-dir --no-deps --no-index wheels/*.whl

FROM ${PYTHON} AS runtime
# A data folder of its owner's alone: a volume that is mounted there for the first time becomes like it.
RUN groupadd --gid 10001 vms-privacy \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin vms-privacy \
 && install --directory --owner=10001 --group=10001 --mode=0700 /var/lib/vms-privacy
COPY --from=build /opt/vms-privacy /opt/vms-privacy
# The command line keeps its log-in session in memory: the root is to be read-only.
ENV PATH=/opt/vms-privacy/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    XDG_CONFIG_HOME=/tmp
USER 10001:10001
WORKDIR /var/lib/vms-privacy
VOLUME ["/var/lib/vms-privacy"]
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=2m --retries=3 CMD ["python3", "-I", "-S", "-c", "import os, ssl, urllib.request as ask; ask.urlopen(('https' if os.environ.get('VMS_TLS_KEY') else 'http') + '://127.0.0.1:' + os.environ.get('VMS_PORT', '8080') + '/readyz', timeout=5, context=ssl._create_unverified_context())"]
ENTRYPOINT ["vms-privacy"]
CMD ["serve"]
