// What to paste to send the first telemetry, with the real endpoints filled in.

export interface Endpoints {
  /** "127.0.0.1:4317" */
  grpc: string;
  /** "http://127.0.0.1:4318" */
  http: string;
  /** An ingest key, or what stands for one, where senders need it. */
  key?: string;
}

export interface Snippet {
  id: string;
  label: string;
  steps: { title: string; code: string }[];
}

const env = (e: Endpoints, service = "my-service") => `export OTEL_SERVICE_NAME=${service}
export OTEL_EXPORTER_OTLP_ENDPOINT=${e.http}
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf${e.key ? `\nexport OTEL_EXPORTER_OTLP_HEADERS=x-api-key=${e.key}` : ""}`;

export function snippets(e: Endpoints): Snippet[] {
  return [
    {
      id: "go",
      label: "Go",
      steps: [
        {
          title: "Add the SDK and the HTTP instrumentation",
          code: `go get go.opentelemetry.io/otel/sdk \\
  go.opentelemetry.io/contrib/exporters/autoexport \\
  go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp`,
        },
        {
          title: "Start it in main",
          code: `exporter, err := autoexport.NewSpanExporter(ctx)
if err != nil {
	log.Fatal(err)
}
provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
defer provider.Shutdown(context.Background())
otel.SetTracerProvider(provider)

http.ListenAndServe(":8000", otelhttp.NewHandler(mux, "server"))`,
        },
        { title: "Run", code: `${env(e)}\ngo run .` },
      ],
    },
    {
      id: "node",
      label: "Node.js",
      steps: [
        { title: "Add the instrumentation", code: "npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node" },
        { title: "Run, no change to the code", code: `${env(e)}\nnode --require @opentelemetry/auto-instrumentations-node/register app.js` },
      ],
    },
    {
      id: "python",
      label: "Python",
      steps: [
        { title: "Add the instrumentation", code: "pip install opentelemetry-distro opentelemetry-exporter-otlp\nopentelemetry-bootstrap --action=install" },
        { title: "Run, no change to the code", code: `${env(e)}\nopentelemetry-instrument python app.py` },
      ],
    },
    {
      id: "java",
      label: "Java",
      steps: [
        {
          title: "Run with the OpenTelemetry Java agent (opentelemetry-javaagent.jar)",
          code: `${env(e)}\njava -javaagent:opentelemetry-javaagent.jar -jar app.jar`,
        },
      ],
    },
    {
      id: "dotnet",
      label: ".NET",
      steps: [
        {
          title: "Add the packages",
          code: `dotnet add package OpenTelemetry.Extensions.Hosting
dotnet add package OpenTelemetry.Exporter.OpenTelemetryProtocol
dotnet add package OpenTelemetry.Instrumentation.AspNetCore
dotnet add package OpenTelemetry.Instrumentation.Http`,
        },
        {
          title: "Start it in Program.cs",
          code: `builder.Services.AddOpenTelemetry()
    .UseOtlpExporter()
    .WithTracing(t => t.AddAspNetCoreInstrumentation().AddHttpClientInstrumentation())
    .WithMetrics(m => m.AddAspNetCoreInstrumentation().AddHttpClientInstrumentation());`,
        },
        { title: "Run", code: `${env(e)}\ndotnet run` },
      ],
    },
    {
      id: "collector",
      label: "Collector",
      steps: [
        {
          title: "Add an exporter to your pipelines",
          code: `exporters:
  otlphttp/tidemark:
    endpoint: ${e.http}${e.key ? `\n    headers: { x-api-key: ${e.key} }` : ""}

service:
  pipelines:
    traces:
      exporters: [otlphttp/tidemark]
    metrics:
      exporters: [otlphttp/tidemark]
    logs:
      exporters: [otlphttp/tidemark]`,
        },
      ],
    },
    {
      id: "curl",
      label: "curl",
      steps: [{ title: "Send one span by hand", code: curl(e) }],
    },
  ];
}

function curl(e: Endpoints): string {
  return `now=$(date +%s)
curl ${e.http}/v1/traces -H 'Content-Type: application/json'${e.key ? ` -H 'X-Api-Key: ${e.key}'` : ""} -d '{
  "resourceSpans": [{
    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "hello"}}]},
    "scopeSpans": [{"spans": [{
      "traceId": "'$(openssl rand -hex 16)'", "spanId": "'$(openssl rand -hex 8)'",
      "name": "GET /hello", "kind": 2,
      "startTimeUnixNano": "'$now'000000000", "endTimeUnixNano": "'$now'042000000"
    }]}]
  }]
}'`;
}
