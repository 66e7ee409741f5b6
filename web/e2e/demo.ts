// The demo shop as a process of its own, with its switches.
import { existsSync } from "node:fs";
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

const root = new URL("../..", import.meta.url).pathname;
const READY_MS = 60_000;
const STOP_MS = 15_000;
// The shop's databases, where that is possible: a commit waits for the disk, and who else writes to it is not tested here.
const inMemory = existsSync("/dev/shm") ? { TMPDIR: "/dev/shm" } : {};

export type FaultName = "slow-query" | "n-plus-one" | "dependency-errors" | "slow-release";

export class Demo {
  private constructor(
    private readonly child: ChildProcess,
    private readonly control: string,
  ) {}

  /** A steady load: the day's rhythm is stretched so far that it does not show. */
  static async start(otlpGRPC: string, perSecond: number): Promise<Demo> {
    const bin = process.env.TIDEMARK_DEMO_BIN ?? `${root}bin/tidemark-demo`;
    const child = spawn(bin, ["--otlp-endpoint", otlpGRPC, "--control-addr", "127.0.0.1:0", "--rate", String(perSecond), "--day", "2400h"], { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, ...inMemory } });
    const control = await new Promise<string>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error("the demo was not ready in time")), READY_MS);
      createInterface(child.stdout!).on("line", (line) => {
        const found = /^ready control=(\S+)/.exec(line);
        if (!found) return;
        clearTimeout(late);
        resolve(found[1]!);
      });
      child.once("exit", (code) => (clearTimeout(late), reject(new Error(`the demo ended with ${code}`))));
    });
    return new Demo(child, control);
  }

  async fault(name: FaultName, on: boolean): Promise<void> {
    const res = await fetch(`${this.control}faults/${name}?on=${on}`, { method: "POST" });
    if (!res.ok) throw new Error(`fault ${name}: ${res.status} ${await res.text()}`);
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = new Promise((r) => this.child.once("exit", r));
    this.child.kill("SIGTERM");
    const late = setTimeout(() => this.child.kill("SIGKILL"), STOP_MS);
    await ended;
    clearTimeout(late);
  }
}
