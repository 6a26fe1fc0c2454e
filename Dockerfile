# The service; docs/service.md says how it is run.
FROM python:3.12-slim AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN pip install --no-cache-dir --prefix=/install ".[serve]"

FROM python:3.12-slim
COPY --from=build /install /usr/local
# Nobody: it owns its data and nothing else. Skills are mounted at /skills, read-only.
RUN useradd --uid 10001 --create-home --home-dir /var/lib/skillret skillret && mkdir /skills
ENV HOME=/var/lib/skillret \
    SKILLRET_ROOTS=/skills
USER 10001
WORKDIR /var/lib/skillret
# Indexes, and the libraries that callers make.
VOLUME /var/lib/skillret
EXPOSE 8377
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-c", "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 8377, timeout=4); c.request('GET', '/readyz'); sys.exit(c.getresponse().status != 200)"]
# Beyond this machine it starts with a token alone: SKILLRET_TOKEN, or --token-file.
CMD ["skillret", "serve", "--host", "0.0.0.0"]
