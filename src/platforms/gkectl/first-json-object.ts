// Finds where a JSON object at the beginning of a text ends, whatever follows it.

/** @param text begins with `{` @returns null where that begins no JSON object */
export function firstJsonObject(text: string): { readonly value: unknown; readonly text: string } | null {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (inString) {
      if (character === '\\') at++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{') depth++;
    else if (character === '}' && --depth === 0) return parse(text.slice(0, at + 1));
  }
  return null;
}

function parse(text: string): { readonly value: unknown; readonly text: string } | null {
  try {
    return { value: JSON.parse(text) as unknown, text };
  } catch {
    return null;
  }
}
