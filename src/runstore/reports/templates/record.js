// One record of the list: its row, and what it holds. The template writes the same for the first records, without script.
const record = (() => {
  const FOLDED = 700; // a longer stretch that does not differ is folded
  const GIST = 120; // characters of what differs, in a closed row
  const RULES = 6; // so many rules are named with a record, besides those that do not hold

  const { fieldName, marked, part, sideTexts, valueText, visible } = words;
  const { button, counted, element, isolated, message, number } = elements;

  // The records of which only what the list shows is there, as html/payload.py writes them.
  function expanded(data) {
    const named = (run, metric) => JSON.stringify([run, metric]);
    const lower = new Set(data.lower.map((one) => named(...one)));
    return data.brief.map(([place, kind, run, id, repeat, tags, scores, findings]) => ({
      class: address.CLASSES[kind],
      context: { tags },
      fields: [],
      findings,
      id,
      is_brief: true,
      place,
      repeat,
      run,
      scores: scores.map(([at, baseline, current, delta]) => {
        const metric = data.metrics[at];
        const sign = lower.has(named(run, metric)) ? -1 : 1;
        const rise = delta ? parseFloat(delta.replaceAll(",", "")) * sign : null;
        return { baseline, current, delta, lost: current === "none", metric, rise };
      }),
    }));
  }

  function nameOf(record) {
    const trial = record.repeat === 1 ? "" : ` (repeat ${record.repeat})`;
    return visible(`${record.run ? `${record.run}: ` : ""}${record.id}${trial}`);
  }

  function effectOf(score) {
    return score.lost || score.rise < 0 ? "worse" : score.rise > 0 ? "better" : "";
  }

  function scoreOf(score) {
    const made = element("span", "score", isolated(score.metric), ` ${score.baseline} → `);
    const last = element("span", effectOf(score), score.delta || score.current);
    made.append(...(score.delta ? [`${score.current} `] : []), last);
    return made;
  }

  // What stands in the row while it is closed.
  function summaryOf(record) {
    const summary = element(
      "summary",
      "",
      element("span", `key key-${record.class}`),
      element("span", "kind", record.class),
      " ",
      element("strong", "", element("bdi", "", nameOf(record))),
    );
    for (const score of record.scores) {
      summary.append(" ", scoreOf(score));
    }
    summary.append(...gistOf(record));
    return summary;
  }

  // The words that differ in the output or, if that did not change, in the first field that did.
  function gistOf(record) {
    const field = record.fields.find((one) => one.path === "/output") || record.fields[0];
    if (!field) {
      return [];
    }
    const made = element("span", "gist");
    for (const [side, pieces] of marked(...sideTexts(field)).entries()) {
      const found = pieces.filter((piece) => piece[1]).map((piece) => piece[0].trim());
      const text = [...found.join(" … ").slice(0, 2 * GIST)].slice(0, GIST).join("");
      if (text) {
        made.append(element(side ? "ins" : "del", "", text), " ");
      }
    }
    return [" ", made];
  }

  // What an open row shows besides. `data`: rules and directions; `showSlice` is called with [tag, value].
  function bodyOf(record, data, showSlice) {
    const made = element("div", "body", whyOf(record, data));
    const context = Object.entries(record.context).filter(([name]) => name !== "tags");
    const isQuestion = ([name]) => name === "input" || name === "target";
    for (const [name, value] of context.filter(isQuestion)) {
      made.append(contextOf(record, name, value));
    }
    for (const field of record.fields) {
      made.append(lineOf(fieldName(field.path), sidesOf(field)));
    }
    if (record.more_fields) {
      made.append(element("p", "quiet", `and ${counted(record.more_fields, "more field")}, in the JSON report`));
    }
    for (const [name, value] of context.filter((one) => !isQuestion(one))) {
      made.append(contextOf(record, name, value));
    }
    if (record.is_brief) {
      made.append(element("p", "quiet", "its texts are in the JSON report: this page has those of the worst records"));
    }
    made.append(tagsOf(record, showSlice));
    return made;
  }

  function contextOf(record, name, value) {
    const length = (record.lengths || {})[name];
    const text = element("pre", "", ...folded(visible(valueText(value)), false, false));
    text.dir = "auto";
    const side = element("div", "side", text);
    if (length) {
      side.append(element("span", "label", `the start of ${counted(length, "character")}`));
    }
    return lineOf(name, side);
  }

  function lineOf(name, content) {
    return element("div", "line", element("p", "path", visible(name)), content);
  }

  function sidesOf(field) {
    const [left, right] = marked(...sideTexts(field));
    return element(
      "div",
      "sides",
      sideOf("baseline", "before" in field, written(left, "del"), field.before_length),
      sideOf("current", "after" in field, written(right, "ins"), field.after_length),
    );
  }

  function sideOf(name, present, text, length) {
    const label = length ? `${name}, shortened from ${counted(length, "character")}` : name;
    return element("div", "side", element("span", "label", label), present ? text : element("em", "quiet", "nothing"));
  }

  function written(pieces, tag) {
    const made = element("pre", "");
    made.dir = "auto";
    pieces.forEach(([text, differs], index) => {
      if (differs) {
        made.append(element(tag, "", text));
      } else {
        made.append(...folded(text, index > 0, index < pieces.length - 1));
      }
    });
    return made;
  }

  // A stretch that does not differ; of a long one only what stands next to what differs, until it is asked for.
  function folded(text, followsMark, precedesMark) {
    if (text.length <= FOLDED) {
      return [text];
    }
    const start = followsMark || !precedesMark ? FOLDED / 2 : 0;
    const end = text.length - (precedesMark ? FOLDED / 2 : 0);
    const hidden = counted(end - start, "more character");
    const open = button("fold", hidden, () => open.replaceWith(part(text, start, end)));
    return [part(text, 0, start), open, part(text, end, text.length)];
  }

  function tagsOf(record, showSlice) {
    const made = element("p", "tags");
    for (const [name, value] of Object.entries(record.context.tags || {})) {
      const tag = button("tag", "", () => showSlice([name, value]));
      tag.append(isolated(name), " = ", isolated(value));
      tag.title = "show the records of this slice";
      made.append(tag);
    }
    return made;
  }

  // Why a record counts as it does: what html/reasons.py says, in the same words.
  function whyOf(record, data) {
    const made = element("ul", "why");
    for (const effect of ["worse", "better"]) {
      const moves = record.scores.filter((score) => effectOf(score) === effect);
      if (moves.length) {
        made.append(element("li", "", element("span", effect, effect), " ", ...movesOf(record, moves, data)));
      }
    }
    for (const [level, rule, text] of record.findings) {
      made.append(foundOf(record, level, rule, text, data));
    }
    const counting = data.checks.filter((check) => isCounting(check, record));
    const shown = counting.slice(0, Math.max(RULES, counting.filter((check) => check.outcome !== "holds").length));
    if (shown.length) {
      const more = counting.length - shown.length;
      const rest = more ? [` and ${number(more)} more that ${more === 1 ? "holds" : "hold"}`] : [];
      made.append(element("li", "", "counts in ", ...shown.map(ruleOf), ...rest));
    } else if (!record.findings.length) {
      made.append(element("li", "quiet", "no rule counts it by itself"));
    }
    return made;
  }

  function movesOf(record, moves, data) {
    return moves.flatMap((score, index) => {
      const by = score.delta ? ` by ${score.delta.replace(/^[+-]+/, "")}` : " is gone";
      const isLower = data.lower.some(([run, metric]) => run === record.run && metric === score.metric);
      return [...(index ? [", "] : []), isolated(score.metric), by, isLower ? " (lower is better)" : ""];
    });
  }

  function foundOf(record, level, rule, text, data) {
    const limit = level === "error" && data.limits.find((one) => one[0] === record.run && one[1] === rule);
    const against = limit ? [" ", element("span", "against", `counts against its limit: ${visible(limit[2])}`)] : [];
    const heads = [element("span", "level", level), " ", element("code", "rule", visible(rule)), " "];
    return element("li", `level-${level}`, ...heads, message(text), ...against);
  }

  // Whether a rule on a mean is about a mean that the record is part of.
  function isCounting(check, record) {
    const tags = record.context.tags || {};
    const [tag, value] = check.slice || [];
    const hasTag = !check.slice || (Object.hasOwn(tags, tag) && tags[tag] === value);
    return hasTag && check.run === record.run && record.scores.some((score) => score.metric === check.metric);
  }

  function ruleOf(check) {
    const about = check.slice ? [" of ", isolated(check.slice[0]), " = ", isolated(check.slice[1])] : [];
    const limit = check.limit === null ? "" : `${visible(check.limit)} `;
    const excuse = check.excused_by.length ? [" by ", isolated(check.excused_by.join(", "))] : [];
    const outcome = element("span", "outcome", check.outcome, ...excuse);
    const rule = `: ${visible(check.rule)} `;
    return element("span", `limit ${check.outcome}`, isolated(check.metric), ...about, rule, limit, outcome);
  }

  return { bodyOf, expanded, summaryOf };
})();
