/** Something that the person at the keyboard can put right: one line, and exit code 2. */
export class BadInput extends Error {}
