#!/usr/bin/env bash
# Builds debian:trixie-slim, the base of docker/Dockerfile, for an engine that reaches no image registry. Needs root (or user
# namespaces), Debian's mmdebstrap and a Debian mirror; takes half a minute. Does nothing where the engine has the image.
set -euo pipefail

image=debian:trixie-slim
if docker image inspect "$image" >/dev/null 2>&1; then
  printf '%s is there already\n' "$image"
  exit
fi
command -v mmdebstrap >/dev/null || { printf 'mmdebstrap is missing: apt-get install mmdebstrap\n' >&2; exit 64; }
docker version >/dev/null 2>&1 || { printf 'no Docker engine answers: start one (as root: dockerd)\n' >&2; exit 64; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
# Without what the slim images leave out; with the packages that the Dockerfile would install.
mmdebstrap --quiet --variant=minbase --include=ca-certificates,curl,python3,python3-venv,unzip \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
  --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
  trixie "$scratch/rootfs.tar"
docker import "$scratch/rootfs.tar" "$image" >/dev/null
printf '%s is built: %s MB\n' "$image" "$(($(docker image inspect --format '{{.Size}}' "$image") / 1000000))"
