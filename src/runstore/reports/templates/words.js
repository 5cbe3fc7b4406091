"use strict";
// Texts of data for the page: made visible, and two of them compared word by word. Strings in, strings out.
const words = (() => {
  const ALIGNED = 1200; // so many words on each side are aligned; more count as different as a whole

  // What text_safety.visible does, character for character; a test holds the two equal.
  const HIDDEN = new RegExp(
    "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u115f\\u1160\\u180e\\u200b\\u200e\\u200f" +
      "\\u2028-\\u202e\\u2060-\\u206f\\u3164\\u{d800}-\\u{dfff}\\u{fdd0}-\\u{fdef}\\ufeff\\uffa0\\ufff9-\\ufffb" +
      "\\ufffe\\uffff\\u{e0000}-\\u{e0fff}]",
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
    return JSON.stringify(text).replace(/[^\x20-\x7e]/gu, escaped);
  }

  // A part of a text that splits no character.
  function part(text, start, end) {
    const whole = (at) => (at > 0 && at < text.length && /[\udc00-\udfff]/.test(text[at]) ? at - 1 : at);
    return text.slice(whole(start), whole(Math.min(end, text.length)));
  }

  function valueText(value) {
    return typeof value === "string" ? value : JSON.stringify(value, null, 2);
  }

  // `output` for `/output`; a place further inside keeps its JSON pointer.
  function fieldName(path) {
    return path.lastIndexOf("/") === 0 && !path.includes("~") ? path.slice(1) : path;
  }

  const WORD = /[\p{L}\p{N}\p{M}_]{1,32}|\s{1,16}|[^\p{L}\p{N}\p{M}_\s]/gu;

  // What a text looks like: joiners and variation selectors change a character a little, or nothing.
  function look(text) {
    return text.normalize("NFKC").replace(/[\u200c\u200d\ufe00-\ufe0f]/gu, "");
  }

  // Two texts in; two lists of [text, differs] out. Texts that differ never come out looking the same.
  function compare(before, after) {
    let old = visible(before);
    let now = visible(after);
    if (before !== after && look(old) === look(now)) {
      old = spelledOut(before);
      now = spelledOut(after);
    }
    const left = old.match(WORD) || [];
    const right = now.match(WORD) || [];
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

  // The longest common subsequence of words, marked on both sides; bounded in cost.
  function aligned(left, right) {
    if (Math.max(left.length, right.length) > ALIGNED || !left.length || !right.length) {
      return [[[left.join(""), true]], [[right.join(""), true]]];
    }
    const width = right.length + 1;
    const best = new Uint16Array((left.length + 1) * width);
    for (let i = left.length - 1; i >= 0; i -= 1) {
      for (let j = right.length - 1; j >= 0; j -= 1) {
        const skip = Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
        best[i * width + j] = left[i] === right[j] ? Math.max(skip, best[(i + 1) * width + j + 1] + 1) : skip;
      }
    }
    const old = [];
    const now = [];
    let [i, j] = [0, 0];
    while (i < left.length && j < right.length) {
      if (left[i] === right[j] && best[i * width + j] === best[(i + 1) * width + j + 1] + 1) {
        old.push([left[i], false]);
        now.push([right[j], false]);
        i += 1;
        j += 1;
      } else if (best[(i + 1) * width + j] >= best[i * width + j + 1]) {
        old.push([left[i], true]);
        i += 1;
      } else {
        now.push([right[j], true]);
        j += 1;
      }
    }
    old.push([left.slice(i).join(""), true]);
    now.push([right.slice(j).join(""), true]);
    return [bridged(old), bridged(now)];
  }

  // A space between two words that differ belongs to them.
  function bridged(pieces) {
    return pieces.map(([text, differs], index) => {
      const between = index > 0 && index < pieces.length - 1 && pieces[index - 1][1] && pieces[index + 1][1];
      return [text, differs || (between && pieces[index + 1][0] !== "" && !text.trim())];
    });
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

  return { compare, fieldName, part, valueText, visible };
})();
