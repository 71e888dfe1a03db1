# telephony-agent with the CPU build of its models' libraries, as one small unprivileged container.
#
#     docker compose up --build          with PostgreSQL (compose.yaml; docs/deploy.md)
#
# On Linux the package index's own torch carries several GB of CUDA libraries. For the CPU build, give pip PyTorch's CPU
# index (constraints.txt tells where its address stands): docker compose build --build-arg PIP_EXTRA_INDEX_URL=<address>
FROM python:3.11-slim-bookworm AS build
ARG PIP_EXTRA_INDEX_URL=
ENV PIP_EXTRA_INDEX_URL=${PIP_EXTRA_INDEX_URL} PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/agent
WORKDIR /build
# The dependencies first: they change seldom and take minutes.
COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
        >requirements.txt \
    && /opt/agent/bin/pip install --constraint constraints.txt --requirement requirements.txt
COPY README.md LICENSE ./
COPY twiml ./twiml
COPY telephony_agent ./telephony_agent
RUN /opt/agent/bin/pip install --no-deps .

FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends espeak-ng libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 agent \
    && install -d -o agent -g agent -m 700 /data
COPY --from=build /opt/agent /opt/agent
# Models that are fetched from the hub are kept with the data, so a new container has them.
ENV PATH=/opt/agent/bin:$PATH PYTHONUNBUFFERED=1 HF_HOME=/data/models \
    AGENT_HOST=0.0.0.0 AGENT_PORT=8080 AGENT_DATA_DIR=/data
USER agent
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=5s --start-period=180s --retries=4 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/readyz', timeout=4)"]
# As a list, so that the agent itself gets SIGTERM and its calls can take leave.
STOPSIGNAL SIGTERM
ENTRYPOINT ["telephony-agent"]
CMD ["serve"]
