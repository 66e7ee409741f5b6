import { expect, it } from "vitest";
import { level } from "./severity";

it.each([[0, "unset"], [1, "trace"], [4, "trace"], [5, "debug"], [9, "info"], [12, "info"], [13, "warn"], [17, "error"], [20, "error"], [21, "fatal"], [24, "fatal"]] as const)("%i is %s", (n, want) => expect(level(n)).toBe(want));
