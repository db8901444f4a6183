# Builds dist/ with the development dependencies; nothing of this stage but dist/ is in the image.
FROM node:26-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

FROM node:26-slim
ENV NODE_ENV=production
WORKDIR /app
COPY package.json package-lock.json ./
# prepare would compile, and the compiler is not here; lmdb comes prebuilt.
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force
COPY --from=build /app/dist ./dist
COPY config.schema.json ./
COPY protocols ./protocols
COPY deploy/docker.config.json ./deploy/
RUN mkdir run data && chown node:node run data
USER node

# Web page and /ws, lines, datagrams, HTTP, WebSocket. The admin port stays inside.
EXPOSE 5200 5291 5292/udp 5293 5294

HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:5299/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

# Shared tables live in /dev/shm, of which a container has 64 MiB: raise it with --shm-size for large tables.
CMD ["node", "dist/bin.js", "start", "-c", "deploy/docker.config.json"]
