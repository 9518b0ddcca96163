/**
 * How many columns of a terminal a grapheme cluster takes.
 *
 * The rules are those of the package string-width, which compiles its expressions while it is loaded: 30 ms of every
 * command, for texts that most commands never print. Here that happens at the first text that is not ASCII.
 *
 * @module
 */
import { eastAsianWidth } from "get-east-asian-width";

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
  return eastAsianWidth(char.codePointAt(0) ?? 0);
}
