import fc from "fast-check";

/** Words made of what shells treat specially, of any text, and of things that broke somebody once. */
export const hostileWord: fc.Arbitrary<string> = fc.oneof(
  fc.array(
    fc.constantFrom(
      ..."'\"\\`$(){}[]<>|&;*?!#~^%=-+@:,. \t\r\n\x01\x7f\x1b0a",
      "é",
      "日",
      "𝄞",
      "\u2028",
    ),
    { maxLength: 24 },
  ).map((units) => units.join("")),
  fc.string({ unit: "binary", maxLength: 24 }),
  fc.string({ unit: "grapheme", maxLength: 24 }),
  fc.constantFrom(
    "",
    "-n",
    "--",
    "-e\\n",
    "$(touch /tmp/harness-pwned)",
    "`touch /tmp/harness-pwned`",
    "'; touch /tmp/harness-pwned; '",
    "\\0101\\047",
    "a'b",
    "!!",
    "!$",
    "%s%n",
    "if",
    "2",
    "A=b",
    "~root",
    "\n\n",
    " ",
    "*",
    "\\",
    "'\"'\"'",
    "\u0081\u0082\u0088",
  ),
).map((word) => word.replaceAll("\0", "0")).filter((word) => word.isWellFormed());
