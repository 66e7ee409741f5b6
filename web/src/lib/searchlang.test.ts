import { describe, expect, it } from "vitest";
import { addTerm, completionAt, errorPosition, errorReason, errorSpan, hasTerm, removeTerm, termsOf, toggleTerm, tokenize, unquote, valuesOf, withEnv } from "./searchlang";

const kinds = (q: string) => tokenize(q).filter((t) => t.kind !== "space").map((t) => `${t.kind} ${t.text}`);

describe("tokens", () => {
  it.each([
    ["service:checkout", ["key service", "op :", "value checkout"]],
    ["duration>=1.5s", ["key duration", "op >=", "value 1.5s"]],
    ['name:"GET /x (y)"', ["key name", "op :", 'string "GET /x (y)"']],
    ["url.path:/a/*", ["key url.path", "op :", "value /a/*"]],
    ["-status:error", ["not -", "key status", "op :", "value error"]],
    ['(a OR "b c") d', ["paren (", "word a", "or OR", 'string "b c"', "paren )", "word d"]],
    ["time-out", ["word time-out"]],
    ['name:"un closed', ["key name", "op :", 'string "un closed']],
    ["duration:>=1s", ["key duration", "op :>=", "value 1s"]],
    ["service:", ["key service", "op :"]],
    ["POST /order", ["word POST", "word /order"]],
  ])("%s", (q, want) => expect(kinds(q)).toEqual(want));

  it("cover any text without a gap", () => {
    const alphabet = ' ab.:<>=!"\\()-OR/*1é';
    let seed = 5;
    const next = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0);
    for (let i = 0; i < 3000; i++) {
      const q = Array.from({ length: next() % 24 }, () => alphabet[(next() >>> 8) % alphabet.length]).join("");
      const tokens = tokenize(q);
      expect(tokens.map((t) => t.text).join("")).toBe(q);
      for (const t of tokens) expect(t.to).toBeGreaterThan(t.from);
      for (let caret = 0; caret <= q.length; caret++) completionAt(q, caret);
      removeTerm(q, "a");
    }
  });
});

describe("completion", () => {
  it.each([
    ["|", { kind: "key", prefix: "" }],
    ["serv|", { kind: "key", prefix: "serv" }],
    ["a ser|vice", { kind: "key", prefix: "ser", from: 2, to: 9 }],
    ["service:|", { kind: "value", key: "service", prefix: "" }],
    ["service:che|ck", { kind: "value", key: "service", prefix: "che", from: 8, to: 13 }],
    ['-name:"GET /|', { kind: "value", key: "name", prefix: "GET /" }],
    ["service:a |", { kind: "key", prefix: "" }],
    ["(|", { kind: "key", prefix: "" }],
    ['"free te|xt"', null],
  ])("%s", (text, want) => {
    const caret = text.indexOf("|");
    const got = completionAt(text.replace("|", ""), caret);
    if (want === null) expect(got).toBeNull();
    else expect(got).toMatchObject(want);
  });
});

describe("terms", () => {
  it("are added once, and bind to the whole of an alternative", () => {
    expect(addTerm("", "a:b")).toBe("a:b");
    expect(addTerm("x", "a:b")).toBe("x a:b");
    expect(addTerm('x a:"b"', "a:b")).toBe('x a:"b"');
    expect(addTerm("x OR y", "a:b")).toBe("(x OR y) a:b");
    expect(addTerm("(x OR y) z", "a:b")).toBe("(x OR y) z a:b");
  });

  it("are taken away without leaving rubbish", () => {
    expect(removeTerm("x a:b y", "a:b")).toBe("x y");
    expect(removeTerm("x OR a:b", "a:b")).toBe("x");
    expect(removeTerm("x (a:b)", "a:b")).toBe("x");
    expect(removeTerm("x", "a:b")).toBe("x");
    expect(removeTerm('name:"a  b" a:b', "a:b")).toBe('name:"a  b"');
  });

  it("toggle, and replace their opposite", () => {
    expect(toggleTerm("x", "a:b")).toBe("x a:b");
    expect(toggleTerm("x a:b", "a:b")).toBe("x");
    expect(toggleTerm("x a:b", "-a:b")).toBe("x -a:b");
    expect(toggleTerm("x -a:b", "a:b")).toBe("x a:b");
    expect(hasTerm("-a:b", "a:b")).toBe(false);
  });

  it("round-trip: what was added can be taken away", () => {
    for (const q of ["", "x", "x y:z", '"free text"']) expect(removeTerm(addTerm(q, 'k:"v w"'), 'k:"v w"')).toBe(q);
  });

  it("know keys and values", () => {
    expect(termsOf('-service:"a \\"b" duration>5ms free').map((t) => [t.negated, t.key, t.value])).toEqual([[true, "service", 'a "b'], [false, undefined, undefined], [false, undefined, undefined]]);
  });

  it("narrow to an environment", () => {
    expect(withEnv("a", undefined)).toEqual({ q: "a", shift: 0 });
    expect(withEnv("a", "prod")).toEqual({ q: "a env:prod", shift: 0 });
    expect(withEnv("a OR b", "eu west")).toEqual({ q: '(a OR b) env:"eu west"', shift: 1 });
  });
});

describe("errors", () => {
  it("have a place", () => {
    expect(errorPosition("at 8: a value is missing", "service:")).toBe(8);
    expect(errorPosition("at 3: in bytes", "é (")).toBe(2);
    expect(errorPosition("no place", "x")).toBeNull();
    expect(errorReason("at 8: a value is missing")).toBe("a value is missing");
    expect(errorSpan("service: duration>x", 17)).toEqual({ from: 17, to: 18 });
    expect(errorSpan("abc", 99)).toEqual({ from: 2, to: 3 });
    expect(errorSpan("", 0)).toBeNull();
  });
  it("unquote leniently", () => {
    expect(unquote('"a \\" b')).toBe('a " b');
    expect(unquote('"a"')).toBe("a");
    expect(unquote("a")).toBe("a");
  });
});

it("takes the values of a key", () => {
  expect(valuesOf('service:a -service:b (service:"c d" OR severity>=warn) x', "service")).toEqual(["a", "c d"]);
});
