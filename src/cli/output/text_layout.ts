/**
 * Text in columns of a terminal: how wide it is there, and where its lines end.
 *
 * Nothing is ever cut, and no word is broken: ids, paths and commands can be copied from what is printed.
 *
 * @module
 */
import stringWidth from "string-width";

/** Columns that `text` takes: 2 for an ideograph or an emoji, 0 for what is drawn over its neighbour. */
export function textWidth(text: string): number {
  // Most text, and much faster.
  return /^[\x20-\x7e]*$/.test(text) ? text.length : stringWidth(text);
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
 * its own.
 */
export function wrapText(text: string, width: number): string[] {
  if (textWidth(text) <= width) return [text];
  const lines: string[] = [];
  let line = "";
  const put = (part: string, gap: string) => {
    if (line !== "" && textWidth(line + gap + part) > width) {
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

/** Whether `word` has characters of two columns: their languages have no spaces to break a line at. */
function isWide(word: string): boolean {
  return textWidth(word) > [...word].length;
}

const segmenter = new Intl.Segmenter();

function graphemes(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}
