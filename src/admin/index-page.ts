/** The page at `/`: where everything else is. */
export const INDEX_PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Polyport</title>
<h1>Polyport</h1>
<ul>
<li><a href="/metrics">/metrics</a>: metrics of all processes for Prometheus
<li><a href="/api/status">/api/status</a>: ports, workers and tables as JSON
<li><a href="/healthz">/healthz</a>: 200 while the daemon lives
<li><a href="/readyz">/readyz</a>: 200 once every port of every worker listens
</ul>
</html>
`
