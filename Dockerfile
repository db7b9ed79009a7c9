# The server in an image that holds nothing else.
#
# It listens on all interfaces: whoever can reach the port can run programs in the container. Publish it to where it is
# wanted only, as in docker run -p 127.0.0.1:7577:7577 -v skiff:/data.
# Applications of a local account run inside the container and end with it. There is no Java in it.
FROM golang:1.26 AS build
ARG VERSION=dev
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN make build VERSION="$VERSION" && mkdir -p /data /new-tmp && chmod 1777 /new-tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/bin/skiff /skiff
COPY --from=build --chown=65532:65532 /data /data
COPY --from=build /new-tmp /tmp
ENV SKIFF_SERVER_ADDRESS=0.0.0.0 SKIFF_DATA_DIR=/data
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 7577
HEALTHCHECK --interval=10s --timeout=3s CMD ["/skiff", "health"]
ENTRYPOINT ["/skiff"]
CMD ["server"]
