// What is after `#` in the address of the page: the filters and the record, so that a link keeps them.
//
//     class=regressed,improved & slice=TAG=VALUE & metric=NAME & text=WORDS & order=id & record=RUN/ID/REPEAT
//
// Each name and value is percent-encoded by itself. A fragment without `=` names a place of the page.
const address = (() => {
  const CLASSES = ["regressed", "removed", "added", "improved", "changed"];
  const ORDERS = ["id", "delta"];

  function noFilters() {
    return { classes: [], slice: null, metric: "", text: "", order: "" };
  }

  // As encodeURIComponent does, and the few characters that it leaves and that a message around a link might not.
  function encoded(text) {
    const whole = text.replace(/[\u{d800}-\u{dfff}]/gu, "\ufffd"); // half a character cannot be encoded
    return encodeURIComponent(whole).replace(
      /[!'()*]/g,
      (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  }

  function decoded(text) {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  }

  // What a record is known by.
  function keyOf(record) {
    return [record.run, record.id, String(record.repeat)].map(encoded).join("/");
  }

  function readable(key) {
    return key.split("/").map(decoded).join("/");
  }

  function sliceText(slice) {
    return slice.map(encoded).join("=");
  }

  function sliceOf(text) {
    const [tag, ...value] = text.split("=");
    return [decoded(tag), decoded(value.join("="))];
  }

  function written(filters, record) {
    const parts = [
      ["class", filters.classes.join(",")],
      ["slice", filters.slice ? sliceText(filters.slice) : ""],
      ["metric", encoded(filters.metric)],
      ["text", encoded(filters.text)],
      ["order", filters.order],
      ["record", record],
    ];
    return parts
      .filter((one) => one[1])
      .map((one) => one.join("="))
      .join("&");
  }

  // However a part was encoded, by us or by hand, it is found.
  function read(fragment) {
    const found = new Map();
    for (const part of fragment.split("&")) {
      const at = part.indexOf("=");
      if (at > 0) {
        found.set(part.slice(0, at), part.slice(at + 1));
      }
    }
    const text = (name) => decoded(found.get(name) || "");
    const record = (found.get("record") || "").split("/");
    return {
      filters: {
        classes: CLASSES.filter((kind) => text("class").split(",").includes(kind)),
        slice: found.get("slice") ? sliceOf(found.get("slice")) : null,
        metric: text("metric"),
        text: text("text"),
        order: ORDERS.includes(text("order")) ? text("order") : "",
      },
      record: record.map((one) => encoded(decoded(one))).join("/"),
    };
  }

  return { CLASSES, keyOf, noFilters, read, readable, sliceOf, sliceText, written };
})();
