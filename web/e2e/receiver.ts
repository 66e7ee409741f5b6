// A local chat: it records what it is told and answers as told.
import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  /** The JSON of the body, or its text. */
  body: unknown;
  at: number;
}

export class Receiver {
  readonly received: Received[] = [];
  /** The next answers. */
  status = 200;
  answer = "ok";
  private constructor(private readonly server: Server) {}

  static async start(): Promise<Receiver> {
    const server = createServer((req, res) => {
      const parts: Buffer[] = [];
      req.on("data", (b: Buffer) => parts.push(b));
      req.on("end", () => {
        const text = Buffer.concat(parts).toString();
        let body: unknown = text;
        try {
          body = JSON.parse(text);
        } catch {
          // Not JSON: kept as text.
        }
        self.received.push({ path: req.url ?? "", headers: req.headers, body, at: Date.now() });
        res.writeHead(self.status, { "Content-Type": "text/plain" });
        res.end(self.answer);
      });
    });
    const self = new Receiver(server);
    await new Promise<void>((r) => server.listen(0, "127.0.0.1", r));
    return self;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((r) => this.server.close(r));
  }
}
