// The list of records of the page: reads the data block, and builds of the list what is near the window.
// Text of data becomes text nodes and nothing else, each made visible first; no markup is ever made from a string.
(() => {
  const CHUNK = 50; // records that are built together
  const ROW_PX = 44; // about the height of a closed record, until it is there
  const FOLDED = 700; // a longer stretch that does not differ is folded
  const MOST_OPTIONS = 300; // slices to choose from; the search finds the others
  const PRINTED = 100; // so many records are printed as a whole
  const GIST = 120; // characters of what differs, in a closed row

  const { compare, fieldName, part, valueText, visible } = words;
  const { keyOf, sliceOf, sliceText } = address;
  const byId = (id) => document.getElementById(id);
  const block = byId("data");
  if (!block || !byId("list")) {
    return;
  }
  const data = JSON.parse(block.textContent);
  block.textContent = ""; // the records are held once
  const records = data.records;
  const places = new Map(records.map((record, index) => [record.place, index]));
  const keys = new Map(records.map((record, index) => [keyOf(record), index]));
  let filters = address.noFilters();
  let shown = []; // indices of the records that the filters leave, in order
  let texts = null; // what is searched, of each record; made at the first search
  let wanted = ""; // the record that the address names

  // Elements

  function recordName(record) {
    const trial = record.repeat === 1 ? "" : ` (repeat ${record.repeat})`;
    return visible(`${record.run ? `${record.run}: ` : ""}${record.id}${trial}`);
  }

  function counted(number, noun) {
    return `${number.toLocaleString("en-US")} ${noun}${number === 1 ? "" : "s"}`;
  }

  function element(name, className, ...children) {
    const made = document.createElement(name);
    if (className) {
      made.className = className;
    }
    made.append(...children);
    return made;
  }

  // Text of data that keeps its own direction of writing to itself.
  function isolated(text) {
    return element("bdi", "", visible(text));
  }

  function button(className, label, act) {
    const made = element("button", className, label);
    made.type = "button";
    made.addEventListener("click", act);
    return made;
  }

  function marked(pieces, tag) {
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

  // One record

  function scoreOf(score) {
    const effect = score.lost || score.rise < 0 ? "worse" : score.rise > 0 ? "better" : "";
    const made = element("span", "score", isolated(score.metric), ` ${score.baseline} → `);
    made.append(...(score.delta ? [`${score.current} `] : []), element("span", effect, score.delta || score.current));
    return made;
  }

  function rowOf(index) {
    const record = records[index];
    const made = element("details", "record");
    const summary = element(
      "summary",
      "",
      element("span", `key key-${record.class}`),
      element("span", "kind", record.class),
      " ",
      element("strong", "", element("bdi", "", recordName(record))),
    );
    for (const score of record.scores) {
      summary.append(" ", scoreOf(score));
    }
    summary.append(...gistOf(record));
    made.append(summary);
    made.dataset.index = String(index);
    summary.addEventListener("click", () => {
      wanted = made.open ? "" : keyOf(record); // it opens now if it is closed
      writeAddress();
    });
    made.addEventListener("toggle", () => made.open && build(made));
    return made;
  }

  // The words that differ in the output or, if that did not change, in the first field that did.
  function gistOf(record) {
    const field = record.fields.find((one) => one.path === "/output") || record.fields[0];
    if (!field) {
      return [];
    }
    const [before, after] = sideTexts(field);
    let same = 0;
    while (same < Math.min(before.length, after.length) && before[same] === after[same]) {
      same += 1;
    }
    const from = Math.max(0, same - GIST);
    const sides = compare(...[before, after].map((text) => part(text, from, same + 4 * GIST)));
    const [old, now] = sides.map((pieces) => pieces.filter((piece) => piece[1]).map((piece) => piece[0].trim()));
    const made = element("span", "gist");
    for (const [tag, found] of [["del", old], ["ins", now]]) {
      if (found.length) {
        made.append(element(tag, "", part(found.join(" … "), 0, GIST)), " ");
      }
    }
    return [" ", made];
  }

  // What a record holds is made when it is first needed.
  function build(row) {
    if (row.children.length === 1) {
      row.append(bodyOf(records[Number(row.dataset.index)]));
    }
  }

  function open(row) {
    row.open = true;
    build(row);
  }

  function bodyOf(record) {
    const made = element("div", "body", whyOf(record));
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
    made.append(tagsOf(record), linkTo(record));
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
    const [before, after] = sideTexts(field);
    const [left, right] = compare(before, after);
    return element(
      "div",
      "sides",
      sideOf("baseline", "before" in field, marked(left, "del"), field.before_length),
      sideOf("current", "after" in field, marked(right, "ins"), field.after_length),
    );
  }

  // The texts of a field before and after; 1 and "1" are not the same.
  function sideTexts(field) {
    const both = "before" in field && "after" in field && !field.shortened;
    if (both && (typeof field.before === "string") !== (typeof field.after === "string")) {
      return [JSON.stringify(field.before), JSON.stringify(field.after)];
    }
    return ["before" in field ? valueText(field.before) : "", "after" in field ? valueText(field.after) : ""];
  }

  function sideOf(name, present, text, length) {
    const label = length ? `${name}, shortened from ${counted(length, "character")}` : name;
    return element("div", "side", element("span", "label", label), present ? text : element("em", "quiet", "nothing"));
  }

  function tagsOf(record) {
    const made = element("p", "tags");
    for (const [name, value] of Object.entries(record.context.tags || {})) {
      const act = () => choose({ ...filters, slice: [name, value] });
      const tag = button("tag", "", act);
      tag.append(isolated(name), " = ", isolated(value));
      tag.title = "show the records of this slice";
      made.append(tag);
    }
    return made;
  }

  function linkTo(record) {
    const link = element("a", "", "link to this record");
    link.href = `#record=${keyOf(record)}`;
    return element("p", "quiet", link);
  }

  // Why a record counts as it does: what was found about it, and the rules on the means that its scores are part of.
  function whyOf(record) {
    const made = element("ul", "why");
    for (const [level, rule, message] of record.findings) {
      made.append(whyItem(`level-${level}`, level, rule, isolated(message)));
    }
    const metrics = new Set(record.scores.map((score) => score.metric));
    const tags = record.context.tags || {};
    const rules = data.checks.filter((check) => {
      const [tag, value] = check.slice || [];
      const isCounted = check.run === record.run && metrics.has(check.metric);
      return isCounted && (!check.slice || (Object.hasOwn(tags, tag) && tags[tag] === value));
    });
    if (rules.length) {
      made.append(element("li", "", "counts in ", ...rules.map(ruleOf)));
    } else if (!record.findings.length) {
      made.append(element("li", "quiet", "no rule counts it by itself"));
    }
    return made;
  }

  function ruleOf(check) {
    const about = check.slice ? [" of ", isolated(check.slice[0]), " = ", isolated(check.slice[1])] : [];
    const limit = check.limit === null ? "" : `${visible(check.limit)} `;
    const excuse = check.excused_by.length ? [" by ", isolated(check.excused_by.join(", "))] : [];
    const outcome = element("span", "outcome", check.outcome, ...excuse);
    return element("span", `limit ${check.outcome}`, isolated(check.metric), ...about, `: ${check.rule} `, limit, outcome);
  }

  function whyItem(className, level, rule, text) {
    return element("li", className, element("span", "level", level), " ", element("code", "rule", rule), " ", text);
  }

  // The list

  function list() {
    const place = byId("list");
    const chunks = [];
    for (let start = 0; start < shown.length; start += CHUNK) {
      const chunk = element("div", "chunk");
      chunk.dataset.start = String(start);
      chunk.style.minHeight = `${Math.min(CHUNK, shown.length - start) * ROW_PX}px`;
      chunks.push(chunk);
    }
    watcher.disconnect();
    place.replaceChildren(...chunks);
    chunks.slice(0, 1).forEach(fill);
    chunks.forEach((chunk) => watcher.observe(chunk));
  }

  const watcher = new IntersectionObserver(
    (entries) => entries.filter((entry) => entry.isIntersecting).forEach((entry) => fill(entry.target)),
    { rootMargin: "1500px" },
  );

  function fill(chunk) {
    if (chunk.firstChild) {
      return;
    }
    watcher.unobserve(chunk);
    const start = Number(chunk.dataset.start);
    chunk.append(...shown.slice(start, start + CHUNK).map(rowOf));
    chunk.style.removeProperty("min-height");
  }

  // The row of a place in the list, built if it was not.
  function rowAt(position) {
    const chunk = byId("list").children[Math.floor(position / CHUNK)];
    if (!chunk) {
      return null;
    }
    fill(chunk);
    return chunk.children[position % CHUNK] || null;
  }

  function say(missing) {
    const all = shown.length === records.length;
    const text = all ? counted(records.length, "record") : `${shown.length.toLocaleString("en-US")} of ${counted(records.length, "record")}`;
    byId("status").replaceChildren(text);
    if (missing !== undefined) {
      byId("status").append(". The record ", isolated(missing), " is not on this page: it did not change, or is not listed.");
    }
  }

  // Filters

  function searched(index) {
    if (texts === null) {
      texts = records.map((record) => {
        const held = [record.run, record.id, ...record.findings.map((one) => one[2])];
        record.fields.forEach((field) => held.push(...sideTexts(field)));
        Object.values(record.context).forEach((value) => held.push(valueText(value)));
        return held.join("\n").toLowerCase();
      });
    }
    return texts[index];
  }

  function passes(record, index) {
    const { classes, slice, metric, text } = filters;
    const tags = record.context.tags || {};
    return (
      (!classes.length || classes.includes(record.class)) &&
      (!slice || (Object.hasOwn(tags, slice[0]) && tags[slice[0]] === slice[1])) &&
      (!metric || record.scores.some((score) => score.metric === metric)) &&
      (!text || searched(index).includes(text.toLowerCase()))
    );
  }

  // How much better a record is in the metric that is chosen, or in the score that fell most.
  function riseOf(record) {
    const counting = record.scores.filter((score) => !filters.metric || score.metric === filters.metric);
    const rises = counting.map((score) => (score.lost ? -Infinity : score.rise === null ? 0 : score.rise));
    return rises.length ? Math.min(...rises) : Infinity;
  }

  function select() {
    shown = records.map((_, index) => index).filter((index) => passes(records[index], index));
    if (filters.order === "delta") {
      const rises = new Map(shown.map((index) => [index, riseOf(records[index])]));
      shown.sort((one, other) => (rises.get(one) === rises.get(other) ? one - other : rises.get(one) - rises.get(other)));
    } else if (filters.order === "id") {
      const name = (index) => `${records[index].run}\u0000${records[index].id}`;
      shown.sort((one, other) => (name(one) < name(other) ? -1 : name(one) > name(other) ? 1 : one - other));
    }
  }

  function choose(changed) {
    filters = changed;
    wanted = "";
    select();
    list();
    say();
    showFilters();
    writeAddress();
  }

  // The controls say what the filters are.
  function showFilters() {
    for (const control of byId("classes").children) {
      control.setAttribute("aria-pressed", String(filters.classes.includes(control.dataset.class)));
    }
    const slice = filters.slice ? sliceText(filters.slice) : "";
    offer(byId("slice"), slice, slice && visible(filters.slice.join(" = ")));
    offer(byId("metric"), filters.metric, visible(filters.metric));
    byId("order").value = filters.order;
    if (byId("text").value !== filters.text) {
      byId("text").value = filters.text;
    }
  }

  // Select a value, which becomes an option if it is none.
  function offer(control, value, label) {
    if (![...control.options].some((option) => option.value === value)) {
      control.append(new Option(label, value));
    }
    control.value = value;
  }

  function fillControls() {
    const counts = new Map();
    const slices = new Map();
    const metrics = new Map();
    const add = (map, key) => map.set(key, (map.get(key) || 0) + 1);
    for (const record of records) {
      add(counts, record.class);
      Object.entries(record.context.tags || {}).forEach((slice) => add(slices, sliceText(slice)));
      record.scores.forEach((score) => add(metrics, score.metric));
    }
    for (const control of byId("classes").children) {
      control.querySelector(".number").textContent = (counts.get(control.dataset.class) || 0).toLocaleString("en-US");
    }
    const most = [...slices].sort((one, other) => other[1] - one[1]).slice(0, MOST_OPTIONS);
    options(byId("slice"), most, (value) => sliceOf(value).join(" = "));
    options(byId("metric"), [...metrics], (value) => value);
  }

  function options(control, found, label) {
    found.sort((one, other) => (one[0] < other[0] ? -1 : 1));
    control.append(...found.map(([value, number]) => new Option(`${visible(label(value))} (${number})`, value)));
    control.disabled = !found.length;
  }

  // The address

  function writeAddress() {
    const text = address.written(filters, wanted);
    const fragment = text ? `#${text}` : location.hash.includes("=") ? "" : location.hash;
    if (fragment !== location.hash) {
      try {
        history.replaceState(null, "", fragment || "#");
      } catch {
        // A page that is shown inside another may not change its address: then it does not.
      }
    }
  }

  // Show what the address asks for. An address without `=` names a place of the page and says nothing of the list.
  function follow() {
    if (location.hash.length > 1 && !location.hash.includes("=")) {
      return;
    }
    const asked = address.read(location.hash.slice(1));
    filters = asked.filters;
    const index = keys.get(asked.record);
    select();
    if (index !== undefined && !shown.includes(index)) {
      filters = address.noFilters(); // a link to a record shows it
      select();
    }
    wanted = index === undefined ? "" : asked.record;
    list();
    say(asked.record && index === undefined ? address.readable(asked.record) : undefined);
    showFilters();
    if (index !== undefined) {
      show(shown.indexOf(index));
    } else if (location.hash.length > 1) {
      byId("records").scrollIntoView();
    }
  }

  function show(position) {
    const row = rowAt(position);
    open(row);
    row.scrollIntoView({ block: "start" });
    row.firstChild.focus({ preventScroll: true });
  }

  // Keys

  function currentRow() {
    return document.activeElement ? document.activeElement.closest("details.record") : null;
  }

  // The place in the list of the row that has the focus; -1 without.
  function position(row) {
    return row ? Number(row.parentElement.dataset.start) + [...row.parentElement.children].indexOf(row) : -1;
  }

  function move(step) {
    const row = rowAt(Math.max(0, position(currentRow()) + step));
    if (row) {
      row.firstChild.focus({ preventScroll: true });
      row.scrollIntoView({ block: "nearest" });
    }
  }

  const KEYS = {
    j: () => move(1),
    k: () => move(-1),
    "/": () => byId("text").focus(),
    "?": () => byId("keys").showModal(),
    Escape: () => leave(),
  };

  // Out of the search, or close the record that has the focus.
  function leave() {
    const row = currentRow();
    if (document.activeElement === byId("text")) {
      byId("text").blur();
    } else if (row) {
      row.open = false;
      row.firstChild.focus();
    }
  }

  function onKey(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || byId("keys").open) {
      return;
    }
    const typing = event.target.matches("input, select, textarea");
    const row = event.target.matches("details.record > summary");
    const arrow = { ArrowDown: () => move(1), ArrowUp: () => move(-1) }[event.key];
    const act = row && arrow ? arrow : Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
    if (act && (!typing || event.key === "Escape")) {
      event.preventDefault();
      act();
    }
  }

  // Start

  // Names of records elsewhere on the page become their permanent links.
  function link() {
    for (const place of document.querySelectorAll("[data-record]")) {
      const index = places.get(Number(place.dataset.record));
      if (index === undefined) {
        continue;
      }
      const made = place.tagName === "A" ? place : element("a", "", ...place.childNodes);
      made.href = `#record=${keyOf(records[index])}`;
      if (made !== place) {
        place.replaceWith(made);
      }
    }
  }

  function listen() {
    for (const control of byId("classes").children) {
      control.addEventListener("click", () => {
        const kind = control.dataset.class;
        const on = filters.classes.includes(kind);
        const classes = address.CLASSES.filter((one) => (one === kind ? !on : filters.classes.includes(one)));
        choose({ ...filters, classes });
      });
    }
    byId("slice").addEventListener("change", (event) => {
      choose({ ...filters, slice: event.target.value ? sliceOf(event.target.value) : null });
    });
    byId("metric").addEventListener("change", (event) => choose({ ...filters, metric: event.target.value }));
    byId("order").addEventListener("change", (event) => choose({ ...filters, order: event.target.value }));
    let timer = 0;
    byId("text").addEventListener("input", (event) => {
      clearTimeout(timer);
      timer = setTimeout(() => choose({ ...filters, text: event.target.value }), 120);
    });
    byId("reset").addEventListener("click", () => choose(address.noFilters()));
    byId("help").addEventListener("click", () => byId("keys").showModal());
    byId("close").addEventListener("click", () => byId("keys").close());
    document.addEventListener("keydown", onKey);
    window.addEventListener("hashchange", follow);
    // On paper nothing can be opened: the first records are there as a whole, the others as a line.
    window.addEventListener("beforeprint", () => shown.slice(0, PRINTED).forEach((_, place) => build(rowAt(place))));
  }

  fillControls();
  link();
  listen();
  byId("controls").hidden = false;
  follow();
  if (!location.hash) {
    shown.slice(0, 3).forEach((_, index) => open(rowAt(index)));
  }
})();
