# One image for every role: `api`, `worker`, or `up` for all of them. It needs DATABASE_URL and writes nothing but /tmp.
ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /source
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY src ./src
# The lock constrains the build as well as the installation: no package comes in that it does not pin with a hash.
RUN uv build --wheel --build-constraint requirements.lock --require-hashes --out-dir /wheel \
    && uv venv --python "$(command -v python)" /opt/counterfoil \
    && VIRTUAL_ENV=/opt/counterfoil uv pip install --no-cache --compile-bytecode /wheel/*.whl --constraint requirements.lock

FROM python:${PYTHON}-slim
LABEL org.opencontainers.image.title="counterfoil" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/counterfoil /opt/counterfoil
ENV PATH=/opt/counterfoil/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    COUNTERFOIL_HOST=0.0.0.0 \
    COUNTERFOIL_PORT=4747 \
    COUNTERFOIL_DATA_DIR=/tmp/counterfoil
# An account of the base image: nothing to create, and no name that a mounted volume could clash with.
USER nobody
EXPOSE 4747
STOPSIGNAL SIGTERM
ENTRYPOINT ["counterfoil"]
CMD ["up", "--no-sandbox"]
