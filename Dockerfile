# The image of Keyturn's worker. Build: docker build -t keyturn .
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /app
# Install scripts are not needed: this image is the Node that package.json pins for other machines.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN node_modules/.bin/tsc --project tsconfig.build.json

FROM node:24.21.0-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts

FROM node:24.21.0-bookworm-slim
# Root certificates for Temporal, cloud storage and issuers; the slim image has none outside of Node's own. ssh for nodes with `access: ssh`.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates openssh-client \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ENV NODE_ENV=production \
  KEYTURN_CONFIG=/etc/keyturn/keyturn.yaml
COPY package.json LICENSE ./
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
# Staged keys (encrypted) and audit records: the one place that the worker writes to.
RUN install --directory --owner=node --group=node --mode=0700 /var/lib/keyturn
VOLUME /var/lib/keyturn
USER node
CMD ["node", "dist/cli/main.js", "worker"]
