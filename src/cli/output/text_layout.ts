/**
 * Text in columns of a terminal: how wide it is there, and where its lines end.
 *
 * Nothing is ever cut, and no word is broken: ids, paths and commands can be copied from what is printed.
 *
 * @module
 */
import { clusterWidth } from "./cluster_width.ts";
import { withoutStyles } from "./styles.ts";

/** Columns that `text` takes: 2 for an ideograph or an emoji, 0 for a style or what is drawn over its neighbour. */
export function textWidth(text: string): number {
  // Most text, and much faster.
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  return graphemes(withoutStyles(text)).reduce((sum, cluster) => sum + clusterWidth(cluster), 0);
}

/** `text` with spaces at its end, up to `width` columns. */
export function padText(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - textWidth(text)));
}

/** Columns of the widest part that is not broken. */
export function widestWord(text: string): number {
  return text.split(" ").reduce((width, word) => {
    const parts = isWide(word) ? graphemes(word) : [word];
    return parts.reduce((most, part) => Math.max(most, textWidth(part)), width);
  }, 0);
}

/**
 * `text` in lines of at most `width` columns, broken at spaces and between ideographs; a longer word has a line of
 * its own. `hang` is how much less room the lines after the first have.
 */
export function wrapText(text: string, width: number, hang = 0): string[] {
  if (textWidth(text) <= width) return [text];
  const lines: string[] = [];
  let line = "";
  const put = (part: string, gap: string) => {
    if (line !== "" && textWidth(line + gap + part) > width - (lines.length === 0 ? 0 : hang)) {
      lines.push(line);
      line = part;
    } else line += line === "" ? part : gap + part;
  };
  for (const word of text.split(/ +/)) {
    if (textWidth(word) <= width || !isWide(word)) put(word, " ");
    else graphemes(word).forEach((part, index) => put(part, index === 0 ? " " : ""));
  }
  if (line !== "") lines.push(line);
  return lines;
}

/**
 * Whole lines of a text, wrapped at words; what continues a line stands two columns to the right of its beginning. JSON
 * stays as it is.
 */
export function wrapLines(text: string, columns: number): string {
  const lines = text.split("\n");
  const rest = lines.pop() ?? "";
  const wrapped = lines.flatMap((line) => {
    const content = line.trimStart();
    if (textWidth(line) <= columns || content.startsWith("{")) return [line];
    const indent = line.length - content.length;
    const [first = "", ...more] = wrapText(content, columns - indent, 2);
    return [" ".repeat(indent) + first, ...more.map((part) => " ".repeat(indent + 2) + part)];
  });
  return [...wrapped, rest].join("\n");
}

/** Whether `word` has characters of two columns: their languages have no spaces to break a line at. */
function isWide(word: string): boolean {
  return textWidth(word) > [...withoutStyles(word)].length;
}

/** Made at the first text that needs it: making it takes longer than many a command. */
let segmenter: Intl.Segmenter | undefined;

function graphemes(text: string): string[] {
  segmenter ??= new Intl.Segmenter();
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}
