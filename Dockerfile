# syntax=docker/dockerfile:1
FROM oven/bun:1.4.5-alpine AS build
WORKDIR /app
COPY package.json bun.lock ./
RUN bun install --frozen-lockfile --ignore-scripts
COPY . .
RUN bun run build && rm -f dist/*.map

FROM oven/bun:1.4.5-alpine
WORKDIR /app
COPY --from=build /app/dist ./
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000
USER bun
EXPOSE 3000
# No shell and no curl are needed: the runtime asks itself. Liveness alone: a database that is away is no reason to restart.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
  CMD ["bun", "--no-env-file", "-e", "process.exit((await fetch(`http://127.0.0.1:${process.env.PORT}/livez`)).ok ? 0 : 1)"]
CMD ["bun", "--no-env-file", "server.js"]
