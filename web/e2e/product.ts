// Starts the real program on free ports with an empty data directory, and stops it.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const root = new URL("../..", import.meta.url).pathname;
const READY_MS = 90_000;
const STOP_MS = 25_000;

export class Product {
  private constructor(
    private child: ChildProcess,
    private readonly dir: string,
    private readonly args: readonly string[],
    private addresses: Record<string, string>,
  ) {}

  get url(): string {
    return `http://${this.addresses.http}`;
  }
  get otlp(): string {
    return `http://${this.addresses.otlp_http}`;
  }
  get otlpGRPC(): string {
    return this.addresses.otlp_grpc!;
  }

  /** Resolves at the program's readiness line. Own telemetry is off: what is stored is what the test sent. */
  static async start(args: readonly string[] = ["--self-telemetry=false"]): Promise<Product> {
    const dir = mkdtempSync(join(tmpdir(), "tidemark-web-"));
    try {
      const free = ["--http-addr", "--otlp-grpc-addr", "--otlp-http-addr"].flatMap((f) => [f, "127.0.0.1:0"]);
      const { child, ready } = await launch(dir, [...free, ...args]);
      return new Product(child, dir, args, ready);
    } catch (e) {
      rmSync(dir, { recursive: true, force: true });
      throw e;
    }
  }

  /** Stops the program and starts it on the same data and the same addresses. */
  async restart(): Promise<void> {
    await end(this.child);
    const same = ["--http-addr", this.addresses.http!, "--otlp-grpc-addr", this.addresses.otlp_grpc!, "--otlp-http-addr", this.addresses.otlp_http!];
    const { child, ready } = await launch(this.dir, [...same, ...this.args]);
    this.child = child;
    this.addresses = ready;
  }

  /** Runs a statement in the store, over ClickHouse's HTTP port: `tidemark sql` only reads. */
  async sql(statement: string): Promise<string> {
    const dsn = new URL((await this.command("clickhouse-dsn")).trim());
    const port = (await this.command("sql", "SELECT getServerPort('http_port')")).trim();
    const own = (name: string) => dsn.searchParams.get(name) ?? "";
    const res = await fetch(`http://${dsn.hostname}:${port}/?${new URLSearchParams({ database: own("database") })}`, {
      method: "POST",
      headers: { "X-ClickHouse-User": own("username"), "X-ClickHouse-Key": own("password") },
      body: statement,
    });
    const text = await res.text();
    if (!res.ok) throw new Error(`ClickHouse: ${res.status} ${text}`);
    return text;
  }

  private command(name: string, ...operands: string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      execFile(bin(), [name, "--data-dir", join(this.dir, "data"), ...operands], { timeout: 60_000 }, (e, stdout, stderr) => (e ? reject(new Error(`${e.message}\n${stderr}`)) : resolve(stdout)));
    });
  }

  async stop(): Promise<void> {
    await end(this.child);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

const bin = () => process.env.TIDEMARK_BIN ?? join(root, "bin/tidemark");

async function launch(dir: string, args: readonly string[]): Promise<{ child: ChildProcess; ready: Record<string, string> }> {
  const child = spawn(bin(), ["--data-dir", join(dir, "data"), ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stderr!.on("data", (b: Buffer) => (said = (said + b.toString()).slice(-4000)));
  try {
    return { child, ready: await readiness(child, () => said) };
  } catch (e) {
    child.kill("SIGKILL");
    throw e;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = new Promise((r) => child.once("exit", r));
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await ended;
  clearTimeout(late);
}

/** The line "ready http=HOST:PORT otlp_grpc=… otlp_http=… pid=N engine_pid=N" as a record. */
function readiness(child: ChildProcess, said: () => string): Promise<Record<string, string>> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`tidemark was not ready in ${READY_MS / 1000} s:\n${said()}`)), READY_MS);
    createInterface(child.stdout!).on("line", (line) => {
      if (!line.startsWith("ready ")) return;
      clearTimeout(late);
      resolve(Object.fromEntries(line.split(" ").slice(1).map((p) => p.split("=", 2) as [string, string])));
    });
    child.once("error", (e) => (clearTimeout(late), reject(e)));
    child.once("exit", (code) => (clearTimeout(late), reject(new Error(`tidemark ended with ${code} before it was ready:\n${said()}`))));
  });
}
