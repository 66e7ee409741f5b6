import { describe, expect, it } from "vitest";
import { changed, historyOf, redone, undone } from "./history";
import { choicesFrom, choiceText, needs, newPanel, writtenOut } from "./model";
import type { Resolved } from "./variables";

const job: Resolved = { variable: { name: "job", label: "", kind: "query", query: "", regex: "", options: [], multi: true, include_all: true, all_value: "", current: [], hidden: false }, options: ["a", "b"], chosen: ["a", "b"] };

describe("a panel written out", () => {
  const panel = { ...newPanel("timeseries", "p"), title: "CPU of $job", queries: [{ expr: 'x{job=~"$job"}', legend: "$job {{a}}", instant: false, hidden: false }], red: { service: "$job", operation: "", measure: "rate" as const, by: "none" as const } };
  it("takes what is chosen, and its own value where it is repeated", () => {
    const all = writtenOut(panel, new Map([["job", job]]));
    expect([all.title, all.queries[0]!.expr, all.red!.service]).toEqual(["CPU of a + b", 'x{job=~"(a|b)"}', ""]);
    const one = writtenOut({ ...panel, scoped: { job: ["b"] } }, new Map([["job", job]]));
    expect([one.title, one.queries[0]!.expr, one.red!.service]).toEqual(["CPU of b", 'x{job=~"b"}', "b"]);
  });
  it("knows what it waits for", () => expect([...needs({ ...panel, repeat: "env" })].sort()).toEqual(["env", "job"]));
});

describe("choices in an address", () => {
  it("come back as they were, commas and all", () => {
    for (const values of [["a"], ["a", "b,c", "d\\e"], [""]]) {
      const text = choiceText(values);
      if (text) expect(choicesFrom({ "var-x": text, other: "1" })).toEqual({ x: values });
    }
  });
});

describe("history", () => {
  it("goes back and forth, one step for what happens in one go", () => {
    let h = historyOf("a");
    h = changed(h, "b", "move", 0);
    h = changed(h, "c", "move", 100);
    h = changed(h, "d", "title", 200);
    expect(undone(h).now).toBe("c");
    expect(undone(undone(h)).now).toBe("a");
    expect(undone(undone(undone(h))).now).toBe("a");
    expect(redone(redone(undone(undone(h)))).now).toBe("d");
    expect(redone(changed(undone(h), "e", "", 900)).now).toBe("e");
  });
});
