// The list of records of the page: reads the data block, and builds of the list what is near the window.
// Text of data becomes text nodes and nothing else, each made visible first; no markup is ever made from a string.
(() => {
  const CHUNK = 50; // records that are built together
  const ROW_PX = 44; // about the height of a closed record, until it is there
  const MOST_OPTIONS = 300; // slices to choose from; the search finds the others
  const PRINTED = 100; // so many records are printed as a whole

  const { sideTexts, valueText, visible } = words;
  const { counted, element, isolated, number } = elements;
  const { bodyOf, expanded, summaryOf } = record;
  const { keyOf, sliceOf, sliceText } = address;
  const byId = (id) => document.getElementById(id);
  document.querySelectorAll("table.numbers").forEach(tables.sortable);
  const block = byId("data");
  if (!block || !byId("list")) {
    return;
  }
  const data = JSON.parse(block.textContent);
  block.textContent = ""; // the records are held once
  const records = data.records.concat(expanded(data));
  data.records = data.brief = null; // each record is held once
  const places = new Map(records.map((record, index) => [record.place, index]));
  const keys = new Map(records.map((record, index) => [keyOf(record), index]));
  const totals = tally(records.map((record) => record.class));
  let filters = address.noFilters();
  let shown = []; // indices of the records that the filters leave, in order
  let passing = []; // and of those that all filters but that of the class leave
  let texts = null; // what is searched, of each record; made at the first search
  let wanted = ""; // the record that the address names

  // Rows: a record, and beside it its permanent link

  function rowOf(index) {
    const details = element("details", "record", summaryOf(records[index]));
    details.dataset.index = String(index);
    details.firstChild.addEventListener("click", () => {
      wanted = details.open ? "" : keyOf(records[index]); // it opens now if it is closed
      writeAddress();
    });
    details.addEventListener("toggle", () => details.open && build(details));
    return element("div", "row", details, linkTo(index, details));
  }

  function linkTo(index, details) {
    const link = element("a", "permalink", "#", element("span", "unseen", " link to this record"));
    link.href = `#record=${keyOf(records[index])}`;
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) {
        return; // to another tab, or a window
      }
      event.preventDefault();
      wanted = keyOf(records[index]);
      open(details);
      writeAddress();
    });
    return link;
  }

  // What a record holds is made when it is first needed.
  function build(details) {
    if (details.children.length === 1) {
      const showSlice = (slice) => choose({ ...filters, slice });
      details.append(bodyOf(records[Number(details.dataset.index)], data, showSlice));
    }
  }

  function open(details) {
    details.open = true;
    build(details);
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

  // The record at a place in the list, its row built if it was not.
  function rowAt(position) {
    const chunk = byId("list").children[Math.floor(position / CHUNK)];
    if (!chunk) {
      return null;
    }
    fill(chunk);
    const row = chunk.children[position % CHUNK];
    return row ? row.firstChild : null;
  }

  function say(missing) {
    const all = shown.length === records.length;
    const text = counted(records.length, "record");
    byId("status").replaceChildren(all ? text : `${number(shown.length)} of ${text}`);
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

  // Whether a record passes all filters but that of the class.
  function passes(record, index) {
    const { slice, metric, text } = filters;
    const tags = record.context.tags || {};
    return (
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
    const { classes } = filters;
    passing = records.map((_, index) => index).filter((index) => passes(records[index], index));
    shown = passing.filter((index) => !classes.length || classes.includes(records[index].class));
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
    const left = tally(passing.map((index) => records[index].class));
    for (const control of byId("classes").children) {
      const kind = control.dataset.class;
      const [some, all] = [left.get(kind) || 0, totals.get(kind) || 0];
      control.setAttribute("aria-pressed", String(filters.classes.includes(kind)));
      control.querySelector(".number").textContent = some === all ? number(all) : `${number(some)} of ${number(all)}`;
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

  // How often each of them is there.
  function tally(found) {
    const counts = new Map();
    found.forEach((one) => counts.set(one, (counts.get(one) || 0) + 1));
    return counts;
  }

  function fillControls() {
    const slices = tally(records.flatMap((record) => Object.entries(record.context.tags || {}).map(sliceText)));
    const metrics = tally(records.flatMap((record) => record.scores.map((score) => score.metric)));
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
      byId("records").focus({ preventScroll: true });
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
    const chunk = row ? row.closest(".chunk") : null;
    return row ? Number(chunk.dataset.start) + [...chunk.children].indexOf(row.parentElement) : -1;
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
    "?": () => showKeys(),
  };

  function showKeys() {
    byId("keys").showModal();
    byId("close").focus();
  }

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
    const single = byId("single").checked && !typing && Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
    const act = event.key === "Escape" ? leave : row && arrow ? arrow : single;
    if (act) {
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
    for (const place of document.querySelectorAll("[data-jump]")) {
      if (totals.has(place.dataset.jump)) {
        place.href = `#class=${place.dataset.jump}`;
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
    byId("help").addEventListener("click", showKeys);
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
