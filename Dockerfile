# livehook in an image without a shell, for a user without rights. See "Docker" in docs/deployment.md.

# The images to build with and to build on. A release names both by digest, so that you can build the same again:
#
#     docker build --build-arg BUILD_IMAGE=rust:1.95.0-bookworm@sha256:... --build-arg BASE_IMAGE=...@sha256:... .
#
# `docker buildx imagetools inspect IMAGE` shows a digest. The version of Rust is that of rust-toolchain.toml, which stays out of the
# build so that it installs nothing.
ARG BUILD_IMAGE=rust:1.95.0-bookworm
ARG BASE_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
WORKDIR /livehook
# The dependencies get a layer of their own, which stands until Cargo.lock changes: they are built for an empty program.
COPY Cargo.toml Cargo.lock ./
RUN mkdir src && echo 'fn main() {}' >src/main.rs && touch src/lib.rs && \
    cargo build --release --locked --features full --bin livehook
COPY . .
# Cargo goes by time stamps, and those of the copied files can be older than the empty program.
RUN touch src/main.rs src/lib.rs && cargo build --release --locked --features full --bin livehook && \
    mkdir -p /image/data

FROM ${BASE_IMAGE}
COPY --from=build /livehook/target/release/livehook /usr/local/bin/livehook
# A new named volume takes its owner from this folder.
COPY --from=build --chown=65532:65532 /image/data /var/lib/livehook
USER 65532:65532
ENV LIVEHOOK_DATA_DIR=/var/lib/livehook
WORKDIR /var/lib/livehook
VOLUME /var/lib/livehook
# The admin endpoint (9090) stays on the container's own loopback.
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s CMD ["/usr/local/bin/livehook", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/livehook"]
CMD ["serve"]
