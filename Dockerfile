# Builds and runs on the same Debian release, so that the binary finds the libc it was linked with.
FROM rust:1-bookworm AS build
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY migrations migrations
COPY src src
RUN cargo build --release --locked

# The binary needs libc and nothing else.
FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin tacit \
    && install --directory --owner=tacit --group=tacit --mode=0700 /data
COPY --from=build /build/target/release/tacit /usr/local/bin/tacit
USER tacit
# On all addresses of the container; so public_url and both secrets have to be given.
ENV TACIT_SERVER__LISTEN=0.0.0.0:8080 \
    TACIT_DATA__DIR=/data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["tacit", "healthcheck"]
ENTRYPOINT ["tacit"]
CMD ["serve"]
