import { expect, test } from "vitest";
import { fuzzy } from "./fuzzy";

const best = (q: string, list: string[]) => [...list].sort((a, b) => fuzzy(q, b) - fuzzy(q, a))[0];

test("letters in order match, others do not", () => {
  expect(fuzzy("chk", "checkout")).toBeGreaterThan(0);
  expect(fuzzy("kch", "checkout")).toBe(0);
});
test("a start beats the middle, a word beats scattered letters", () => {
  expect(best("cart", ["shopping-cart", "cart", "catalog-art"])).toBe("cart");
  expect(best("pay", ["display", "payment"])).toBe("payment");
  expect(best("ps", ["product-search", "shipping-stats"])).toBe("product-search");
});
test("nothing typed matches everything alike", () => expect(fuzzy(" ", "x")).toBe(1));
