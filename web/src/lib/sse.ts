// Server-sent events out of a POST's body, which EventSource cannot send. Pure but for the reader.

export interface ServerEvent {
  event: string;
  data: string;
}

/** Feeds text in pieces of any size; gives back the events that are complete. */
export class EventParser {
  private rest = "";

  push(text: string): ServerEvent[] {
    const blocks = (this.rest + text).replace(/\r\n/g, "\n").split("\n\n");
    this.rest = blocks.pop()!;
    return blocks.flatMap((b) => {
      let event = "message";
      const data: string[] = [];
      for (const line of b.split("\n")) {
        const [, name, value] = /^([^:]+): ?(.*)$/.exec(line) ?? [];
        if (name === "event") event = value!;
        else if (name === "data") data.push(value!);
      }
      return data.length ? [{ event, data: data.join("\n") }] : [];
    });
  }
}

export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      yield* parser.push(done ? "\n\n" : decoder.decode(value, { stream: true }));
      if (done) return;
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}
