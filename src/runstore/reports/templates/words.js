"use strict";
// Texts of data for the page: made visible, and two of them compared word by word. Strings in, strings out.
const words = (() => {
  const ALIGNED = 400; // so many words on each side are aligned; more count as different as a whole

  // What text_safety.visible does, character for character; a test holds the two equal.
  const HIDDEN = new RegExp(
    "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180e\\u200b\\u200e\\u200f" +
      "\\u2028-\\u202e\\u2060-\\u206f\\u3164\\u{d800}-\\u{dfff}\\u{fdd0}-\\u{fdef}\\ufeff\\uffa0\\ufff0-\\ufffb" +
      "\\ufffe\\uffff\\u{1bca0}-\\u{1bca3}\\u{1d173}-\\u{1d17a}\\u{e0000}-\\u{e0fff}]",
    "gu",
  );

  const MARK =
    "[\\u0300-\\u036f\\u0483-\\u0489\\u0591-\\u05bd\\u0610-\\u061a\\u064b-\\u065f\\u0e31\\u0e34-\\u0e3a\\u0e47-\\u0e4e" +
    "\\u1ab0-\\u1aff\\u1dc0-\\u1dff\\u200c\\u200d\\u20d0-\\u20ff\\ufe00-\\ufe0f\\ufe20-\\ufe2f]";
  const STACKED = new RegExp(`(?<=${MARK}{4})${MARK}`, "gu"); // many paint over the lines around, a few are writing

  function visible(text) {
    const shown = text.replace(HIDDEN, (character) => (character === "\r" ? "\\r" : escaped(character)));
    return shown.replace(STACKED, escaped);
  }

  function escaped(character) {
    const code = character.codePointAt(0);
    const digits = code.toString(16);
    if (code < 0x100) {
      return `\\x${digits.padStart(2, "0")}`;
    }
    return code < 0x10000 ? `\\u${digits.padStart(4, "0")}` : `\\U${digits.padStart(8, "0")}`;
  }

  // A JSON string of ASCII characters on one line: unlike for texts that are unlike.
  function spelledOut(text) {
    const written = JSON.stringify(text).replace(/[^\x20-\x7e]/gu, (character) => {
      const code = character.codePointAt(0);
      return code > 0x7f && code < 0x100 ? `\\u00${code.toString(16)}` : escaped(character);
    });
    return written.replace(/#(?=#(?:\[|vso\[|teamcity\[))/giu, "\\x23"); // as a CI log needs it
  }

  // A part of a text that splits no character.
  function part(text, start, end) {
    const whole = (at) => (at > 0 && at < text.length && /[\udc00-\udfff]/.test(text[at]) ? at - 1 : at);
    return text.slice(whole(start), whole(Math.min(end, text.length)));
  }

  // A string as it is; anything else as JSON with sorted keys on lines of their own, as canonical.jcs_document has it.
  function valueText(value) {
    return typeof value === "string" ? value : layout(value, "\n");
  }

  function layout(value, line) {
    if (value === null || typeof value !== "object") {
      return JSON.stringify(value);
    }
    const inner = `${line}  `;
    if (Array.isArray(value)) {
      const items = value.map((item) => inner + layout(item, inner));
      return items.length ? `[${items.join(",")}${line}]` : "[]";
    }
    const keys = Object.keys(value).sort();
    const members = keys.map((key) => `${inner}${JSON.stringify(key)}: ${layout(value[key], inner)}`);
    return members.length ? `{${members.join(",")}${line}}` : "{}";
  }

  // The texts of a field before and after; 1 and "1" are not the same.
  function sideTexts(field) {
    const both = "before" in field && "after" in field && !field.shortened;
    if (both && (typeof field.before === "string") !== (typeof field.after === "string")) {
      return [layout(field.before, "\n"), layout(field.after, "\n")];
    }
    return ["before" in field ? valueText(field.before) : "", "after" in field ? valueText(field.after) : ""];
  }

  // `output` for `/output`; a place further inside keeps its JSON pointer.
  function fieldName(path) {
    return path.lastIndexOf("/") === 0 && !path.includes("~") ? path.slice(1) : path;
  }

  // From here on what reports/marks.py does, word for word; a test holds the two equal.

  const LETTER = "[\\p{L}\\p{N}_]";
  const WORD = new RegExp(
    "\\\\(?:[nrt]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})" +
      `|[0-9]{1,16}\\.[0-9]{1,16}(?!${LETTER})|${LETTER}{1,16}|\\s{1,16}|[^\\p{L}\\p{N}_\\s]`,
    "gu",
  );

  function split(text) {
    return text.match(WORD) || [];
  }

  // What a text looks like: joiners and variation selectors change a character a little, or nothing.
  function look(text) {
    return text.normalize("NFKC").replace(/[\u034f\u180b-\u180d\u180f\u200c\u200d\ufe00-\ufe0f]/gu, "");
  }

  // Two texts in; two lists of [text, differs] out. Texts that differ never come out looking the same.
  function compare(before, after) {
    let old = visible(before);
    let now = visible(after);
    if (before !== after && look(old) === look(now)) {
      old = spelledOut(before);
      now = spelledOut(after);
    }
    const left = split(old);
    const right = split(now);
    let head = 0;
    while (head < Math.min(left.length, right.length) && left[head] === right[head]) {
      head += 1;
    }
    let tail = 0;
    while (tail < Math.min(left.length, right.length) - head && left.at(-1 - tail) === right.at(-1 - tail)) {
      tail += 1;
    }
    const middles = aligned(left.slice(head, left.length - tail), right.slice(head, right.length - tail));
    const first = [left.slice(0, head).join(""), false];
    const last = [left.slice(left.length - tail).join(""), false];
    return middles.map((middle) => joined([first, ...middle, last]));
  }

  // As the page marks them: a blank between two words that differ is marked with them (html/worst.py).
  function marked(before, after) {
    return compare(before, after).map((pieces) => {
      const isBetween = (text, index) => index > 0 && index < pieces.length - 1 && !text.trim();
      return joined(pieces.map(([text, differs], index) => [text, differs || isBetween(text, index)]));
    });
  }

  // Two lists of words, of which those in the same blocks are not marked; bounded in cost.
  function aligned(left, right) {
    if (Math.max(left.length, right.length) > ALIGNED) {
      return [[[left.join(""), true]], [[right.join(""), true]]];
    }
    const old = [];
    const now = [];
    let [i, j] = [0, 0];
    for (const [start, other, size] of [...blocks(left, right), [left.length, right.length, 0]]) {
      old.push([left.slice(i, start).join(""), true], [left.slice(start, start + size).join(""), false]);
      now.push([right.slice(j, other).join(""), true], [right.slice(other, other + size).join(""), false]);
      [i, j] = [start + size, other + size];
    }
    return [old, now];
  }

  // [start, start on the other side, words] of what both have: the longest stretch, and so on to its left and its right.
  // As difflib's SequenceMatcher finds them: of equally long ones the first on the left side, then on the right.
  function blocks(left, right) {
    const places = new Map();
    right.forEach((word, place) => places.set(word, [...(places.get(word) || []), place]));
    const found = [];
    const open = [[0, left.length, 0, right.length]];
    while (open.length) {
      const [low, high, start, end] = open.pop();
      const [i, j, size] = longest(left, places, low, high, start, end);
      if (size) {
        found.push([i, j, size]);
        open.push([low, i, start, j], [i + size, high, j + size, end]);
      }
    }
    return found.sort((one, other) => one[0] - other[0]);
  }

  function longest(left, places, low, high, start, end) {
    let best = [low, start, 0];
    let lengths = new Map(); // place on the right side -> length of the stretch that ends there
    for (let i = low; i < high; i += 1) {
      const grown = new Map();
      for (const j of places.get(left[i]) || []) {
        if (j >= end) {
          break;
        }
        if (j >= start) {
          const size = (lengths.get(j - 1) || 0) + 1;
          grown.set(j, size);
          best = size > best[2] ? [i - size + 1, j - size + 1, size] : best;
        }
      }
      lengths = grown;
    }
    return best;
  }

  function joined(pieces) {
    const result = [];
    for (const [text, differs] of pieces) {
      if (result.length && result.at(-1)[1] === differs) {
        result.at(-1)[0] += text;
      } else if (text) {
        result.push([text, differs]);
      }
    }
    return result;
  }

  return { compare, fieldName, marked, part, sideTexts, split, valueText, visible };
})();
