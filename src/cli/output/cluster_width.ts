/**
 * How many columns of a terminal a grapheme cluster takes.
 *
 * The rules are those of the package string-width, which compiles its expressions while it is loaded: 30 ms of every
 * command, for texts that most commands never print. Here that happens at the first text that is not ASCII. Its table
 * is here, too: the package with it took 2.5 ms.
 *
 * @module
 */

/** Characters of two columns, which Unicode calls wide or fullwidth: as the package get-east-asian-width has them. */
const WIDE = `
  1100-115f 231a-231b 2329-232a 23e9-23ec 23f0 23f3 25fd-25fe 2614-2615 2630-2637 2648-2653
  267f 268a-268f 2693 26a1 26aa-26ab 26bd-26be 26c4-26c5 26ce 26d4 26ea 26f2-26f3 26f5 26fa
  26fd 2705 270a-270b 2728 274c 274e 2753-2755 2757 2795-2797 27b0 27bf 2b1b-2b1c 2b50 2b55
  2e80-2e99 2e9b-2ef3 2f00-2fd5 2ff0-303e 3041-3096 3099-30ff 3105-312f 3131-318e 3190-31e5
  31ef-321e 3220-3247 3250-a48c a490-a4c6 a960-a97c ac00-d7a3 f900-faff fe10-fe19 fe30-fe52
  fe54-fe66 fe68-fe6b ff01-ff60 ffe0-ffe6 16fe0-16fe4 16ff0-16ff6 17000-18cda 18cff-18d20
  18d80-18df2 18e00-19191 191a0-191d2 1aff0-1aff3 1aff5-1affb 1affd-1affe 1b000-1b128 1b132
  1b150-1b152 1b155 1b164-1b168 1b170-1b2fb 1d300-1d356 1d360-1d376 1f004 1f0cf 1f18e
  1f191-1f19a 1f1ae 1f200-1f202 1f210-1f23b 1f240-1f248 1f250-1f251 1f260-1f265 1f300-1f320
  1f32d-1f335 1f337-1f37c 1f37e-1f393 1f3a0-1f3ca 1f3cf-1f3d3 1f3e0-1f3f0 1f3f4 1f3f8-1f43e
  1f440 1f442-1f4fc 1f4ff-1f53d 1f54b-1f54e 1f550-1f567 1f57a 1f595-1f596 1f5a4 1f5fb-1f64f
  1f680-1f6c5 1f6cc 1f6d0-1f6d2 1f6d5-1f6d9 1f6dc-1f6df 1f6eb-1f6ec 1f6f4-1f6fc 1f7da
  1f7e0-1f7eb 1f7f0 1f90c-1f93a 1f93c-1f945 1f947-1f9ff 1fa70-1fa7c 1fa80-1fac6 1fac8
  1facc-1fadd 1fadf-1faeb 1faef-1fafa 20000-2fffd 30000-3fffd
`;

/** Longer clusters are no emoji, but text made to be slow. */
const LONGEST_EMOJI = 50;

/** What the characters of a cluster are. */
function makeExpressions() {
  // As literals they would be compiled with the module: RGI_Emoji is a list of thousands of sequences.
  return {
    emoji: new RegExp("^\\p{RGI_Emoji}$", "v"),
    pictograph: new RegExp("\\p{Extended_Pictographic}", "gu"),
    seen: new RegExp(
      "[^\\p{Default_Ignorable_Code_Point}\\p{Control}\\p{Format}\\p{Nonspacing_Mark}\\p{Enclosing_Mark}\\p{Surrogate}]",
      "v",
    ),
    spacing: new RegExp("[\\p{Spacing_Mark}\\uff00-\\uffef]", "v"),
    wide: new RegExp(`[${WIDE.trim().replace(/\w+/g, "\\u{$&}").replace(/\s+/g, "")}]`, "v"),
  };
}

let expressions: ReturnType<typeof makeExpressions> | undefined;

/** Columns that one grapheme cluster takes. */
export function clusterWidth(cluster: string): number {
  const { emoji, seen, spacing } = expressions ??= makeExpressions();
  const at = cluster.search(seen);
  if (at < 0) return 0;
  if (emoji.test(cluster) || isOtherEmoji(cluster)) return 2;
  const [first = "", ...others] = cluster.slice(at);
  if (isJamo(first)) return jamoWidth([first, ...others].filter((char) => seen.test(char)));
  // What stands beside the first character; most others are drawn over it.
  return [first, ...others.filter((char) => spacing.test(char))]
    .reduce((sum, char) => sum + columnsOf(char), 0);
}

/** Emoji that are not written as recommended: keycaps and joined ones without their selectors. */
function isOtherEmoji(cluster: string): boolean {
  if (cluster.length > LONGEST_EMOJI) return false;
  if (/^[\d#*]\u20e3$/.test(cluster)) return true;
  if (!cluster.includes("\u200d")) return false;
  const { pictograph } = expressions ??= makeExpressions();
  return (cluster.match(pictograph)?.length ?? 0) >= 2;
}

/** A leading part with its vowel, and its trailing part if there is one, is drawn as one syllable. */
function jamoWidth(chars: readonly string[]): number {
  let width = 0;
  for (let at = 0; at < chars.length; at++) {
    const [char = "", next = "", last = ""] = chars.slice(at, at + 3);
    width += columnsOf(char);
    if (JAMO.leading.test(char) && JAMO.vowel.test(next)) at += JAMO.trailing.test(last) ? 2 : 1;
  }
  return width;
}

const JAMO = {
  leading: /[\u1100-\u115f\ua960-\ua97c]/,
  vowel: /[\u1160-\u11a7\ud7b0-\ud7c6]/,
  trailing: /[\u11a8-\u11ff\ud7cb-\ud7fb]/,
};

function isJamo(char: string): boolean {
  return Object.values(JAMO).some((part) => part.test(char));
}

function columnsOf(char: string): number {
  const { wide } = expressions ??= makeExpressions();
  return wide.test(char) ? 2 : 1;
}
