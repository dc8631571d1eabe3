// A format is made once for what it is asked: the cache must not mix up languages or digits.
import { expect, test } from "vitest"
import { numbers, times } from "./formats"

test("a format is made once, and another one for another language or other digits", () => {
  const digits = (count: number) => ({ minimumFractionDigits: count, maximumFractionDigits: count })
  expect(numbers("en", digits(1))).toBe(numbers("en", digits(1)))
  expect(numbers("en", digits(1)).format(1234.56)).toBe("1,234.6")
  expect(numbers("de", digits(1)).format(1234.56)).toBe("1.234,6")
  expect(numbers("en", digits(0)).format(1234.56)).toBe("1,235")
  expect(times("en", { month: "short" }).format(0)).toBe("Jan")
  expect(times("en", { year: "numeric" }).format(1e12)).toBe("2001")
})
