# The image of agent, hub and command line (the default), and that of the demo's shop:
#   docker build --tag comity .
#   docker build --target shop --tag comity-shop .
FROM node:24-slim AS base
WORKDIR /opt/comity
COPY package.json package-lock.json ./
# Stores and audit logs. A named volume that is mounted here begins with this owner.
RUN install --directory --owner=node --group=node /var/lib/comity

FROM base AS shop
RUN npm ci --no-audit --no-fund
COPY scripts/demo scripts/demo
USER node
ENTRYPOINT ["node", "/opt/comity/scripts/demo/shop.ts"]

FROM base AS comity
RUN npm ci --omit=dev --no-audit --no-fund
COPY LICENSE ./
COPY proto proto
COPY src src
USER node
VOLUME /var/lib/comity
ENTRYPOINT ["node", "/opt/comity/src/cli/main.ts"]
