// Completion from the JSON Schema: where in the file the cursor stands, and what may stand there.

const KEY = /^("[^"]*"|'[^']*'|[A-Za-z_][\w.-]*)\s*:(?=\s|$)\s*/;

// A line's dashes (their columns), the column of its content, and its key if it has one.
export function shape(text) {
  const dashes = [];
  let column = /^ */.exec(text)[0].length;
  for (let more = /^- +|^-$/.exec(text.slice(column)); more; more = /^- +|^-$/.exec(text.slice(column))) {
    dashes.push(column);
    column += more[0].length;
  }
  const content = text.slice(column);
  const key = KEY.exec(content);
  return { dashes, column, content, key: key && key[1].replace(/^["']|["']$/g, ""), blank: /^(#|$)/.test(content) };
}

// The path of a line's parent: keys, and "*" for a list. `above(n)` is the n-th line above, or null.
export function parents(line, above) {
  const path = [];
  let limit = line.column;
  let inList = false;
  const enter = (dashes) => {
    for (const dash of [...dashes].reverse()) {
      if (dash >= limit) continue;
      path.unshift("*");
      limit = dash;
      inList = true;
    }
  };
  enter(line.dashes);
  for (let number = 1; limit > 0 || inList; number++) {
    const text = above(number);
    if (text === null) break;
    const other = shape(text);
    if (other.blank) continue;
    if (other.key && (inList ? other.column <= limit : other.column < limit)) {
      path.unshift(other.key);
      limit = other.column;
      inList = false;
    }
    enter(other.dashes);
  }
  return path;
}

// What stands open in `{a: 1, b: [` before the cursor: one entry for each bracket.
function brackets(text) {
  const open = [];
  let word = "";
  let quote = null;
  for (const letter of text) {
    const top = open.at(-1);
    if (quote) {
      if (letter === quote) quote = null;
      else word += letter;
    } else if (letter === '"' || letter === "'") quote = letter;
    else if (letter === "#" && /\s$/.test(word)) return [];
    else if (letter === "{" || letter === "[") {
      open.push({ map: letter === "{", key: null });
      word = "";
    } else if (letter === "}" || letter === "]") {
      open.pop();
      word = "";
    } else if (top && letter === ",") {
      top.key = null;
      word = "";
    } else if (top && top.map && letter === ":") {
      top.key = word.trim();
      word = "";
    } else word += letter;
  }
  return open.map((each) => ({ ...each, word: word.trimStart() }));
}

// Where the cursor is: the path to the mapping or value, whether a key or a value is wanted, and
// how many letters of it stand there already. Null where nothing sensible can be said.
export function place(before, above) {
  const line = shape(before);
  const path = parents(line, above);
  const head = KEY.exec(line.content);
  const rest = head ? line.content.slice(head[0].length) : line.content;
  const open = brackets(rest);
  if (open.length) {
    if (head) path.push(line.key);
    open.slice(0, -1).forEach((each) => path.push(each.map ? each.key : "*"));
    const last = open.at(-1);
    if (!last.map) return { path: [...path, "*"], wants: "value", typed: last.word };
    return last.key === null
      ? { path, wants: "key", typed: last.word, inFlow: true }
      : { path: [...path, last.key], wants: "value", typed: last.word };
  }
  if (head) return { path: [...path, line.key], wants: "value", typed: rest };
  if (/^[\w.-]*$/.test(line.content)) {
    return { path, wants: "key", typed: line.content, inItem: line.dashes.length > 0 };
  }
  return null;
}

function parts(schema, root) {
  if (schema === undefined || schema === true || schema === false) return [];
  if (schema.$ref) {
    const target = schema.$ref.slice(2).split("/").reduce((found, step) => found[step], root);
    return parts(target, root);
  }
  const several = schema.anyOf ?? schema.oneOf;
  return several ? several.flatMap((each) => parts(each, root)) : [schema];
}

// Every schema that may apply at a path.
export function schemasAt(root, path) {
  let found = parts(root, root);
  for (const step of path) {
    found = found.flatMap((each) =>
      parts(step === "*" ? each.items : each.properties?.[step], root));
  }
  return found;
}

// The description stands beside the $ref or anyOf, which `parts` sees through.
function described(root, path, key) {
  for (const each of schemasAt(root, path)) {
    const own = each.properties?.[key];
    if (own) return { text: own.description ?? "", fallback: own.default, schemas: parts(own, root) };
  }
  return { text: "", fallback: undefined, schemas: [] };
}

function shownDefault(value) {
  return value === undefined || typeof value === "object" ? "" : `default ${value}`;
}

export function keysAt(root, path, inFlow) {
  const names = new Set(schemasAt(root, path).flatMap((each) => Object.keys(each.properties ?? {})));
  return [...names].map((name) => {
    const { text, fallback, schemas } = described(root, path, name);
    const nested = schemas.some((each) => each.properties || each.items);
    return {
      label: name,
      type: nested ? "class" : "property",
      detail: shownDefault(fallback),
      info: text || undefined,
      apply: nested && !inFlow ? `${name}:` : `${name}: `,
    };
  });
}

export function valuesAt(root, path) {
  const found = new Map();
  const add = (value, detail) => {
    if (typeof value !== "object" && !found.has(String(value))) found.set(String(value), detail);
  };
  const item = path.at(-1) === "*";
  const key = item ? null : described(root, path.slice(0, -1), path.at(-1));
  for (const each of schemasAt(root, path)) {
    if (each.const !== undefined) add(each.const, "");
    (each.enum ?? []).forEach((value) => add(value, ""));
    if (each.type === "boolean") [true, false].forEach((value) => add(value, ""));
    (each.examples ?? []).forEach((value) => add(value, "example"));
  }
  if (key && key.fallback !== undefined && typeof key.fallback !== "object") {
    found.set(String(key.fallback), "default");
  }
  return [...found].map(([label, detail]) => ({ label, detail, type: "constant" }));
}
