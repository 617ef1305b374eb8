import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite'
import type { DeadInfo, DeadMessage, DeadReason, QueueMessage } from '../driver.ts'
import { fromColumn, toColumn } from './text.ts'

export type StoredMessage = Omit<QueueMessage, 'delayMs'>

// Without a rowid the messages of a partition lie together in the order of their positions: one tree, appended to at the
// end and read and deleted at the front.
const schema = `
  CREATE TABLE IF NOT EXISTS headrace_queues (
    queue INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, partitions INTEGER NOT NULL, depth_max INTEGER NOT NULL);
  CREATE TABLE IF NOT EXISTS headrace_messages (
    queue INTEGER NOT NULL, partition INTEGER NOT NULL, position INTEGER NOT NULL,
    id TEXT NOT NULL, key TEXT, payload TEXT NOT NULL, headers TEXT, published_at NOT NULL, redeliveries INTEGER NOT NULL,
    PRIMARY KEY (queue, partition, position)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS headrace_delayed (
    due_at NOT NULL, position INTEGER NOT NULL, queue INTEGER NOT NULL, partition INTEGER NOT NULL,
    id TEXT NOT NULL, key TEXT, payload TEXT NOT NULL, headers TEXT, published_at NOT NULL,
    PRIMARY KEY (due_at, position)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS headrace_dead (
    queue INTEGER NOT NULL, position INTEGER NOT NULL, partition INTEGER NOT NULL,
    id TEXT NOT NULL, key TEXT, payload TEXT NOT NULL, headers TEXT, published_at NOT NULL,
    reason TEXT NOT NULL, error TEXT NOT NULL, attempts INTEGER NOT NULL, dead_at NOT NULL,
    PRIMARY KEY (queue, position)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS headrace_delivered (
    queue INTEGER NOT NULL, partition INTEGER NOT NULL, position INTEGER NOT NULL,
    PRIMARY KEY (queue, partition)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS headrace_parked (
    queue INTEGER NOT NULL, partition INTEGER NOT NULL, position INTEGER NOT NULL,
    id TEXT NOT NULL, key TEXT NOT NULL, payload TEXT NOT NULL, headers TEXT, published_at NOT NULL,
    redeliveries INTEGER NOT NULL, PRIMARY KEY (queue, partition, position)) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS headrace_parked_by_key ON headrace_parked (queue, partition, key, position);
  CREATE TABLE IF NOT EXISTS headrace_parked_keys (
    queue INTEGER NOT NULL, partition INTEGER NOT NULL, key TEXT NOT NULL,
    position INTEGER, reason TEXT, error TEXT, attempts INTEGER, dead_at,
    PRIMARY KEY (queue, partition, key)) WITHOUT ROWID;`

// 2 has parked messages, which a version that knows only 1 would deliver around.
const version = 2

/** @throws Error where the file was written by a newer version. */
export function createTables(db: DatabaseSync): void {
  const { user_version: found } = db.prepare('PRAGMA user_version').get() as { user_version: number }
  if (found > version) throw new Error(`it has format ${found}, and this version reads up to ${version}`)
  db.exec(schema)
  if (found < version) db.exec(`PRAGMA user_version = ${version}`)
}

/**
 * Counts the messages that were delivered and not settled when the process ended. All that is stored up to the mark of a
 * partition was delivered: what was settled is gone.
 */
export function countUnfinished(db: DatabaseSync): void {
  db.exec(`
    BEGIN IMMEDIATE;
    UPDATE headrace_messages SET redeliveries = redeliveries + 1 FROM headrace_delivered AS mark
      WHERE headrace_messages.queue = mark.queue AND headrace_messages.partition = mark.partition
        AND headrace_messages.position <= mark.position;
    DELETE FROM headrace_delivered;
    COMMIT`)
}

type Row = Record<string, SQLOutputValue>

export interface Statements {
  readonly addQueue: StatementSync
  readonly findQueue: StatementSync
  readonly addMessage: StatementSync
  readonly nextMessages: StatementSync
  readonly removeMessage: StatementSync
  readonly moveToDead: StatementSync
  readonly mark: StatementSync
  readonly addDelayed: StatementSync
  readonly firstDelayed: StatementSync
  readonly removeDelayed: StatementSync
  readonly nextDead: StatementSync
  readonly removeDead: StatementSync
}

export function prepareStatements(db: DatabaseSync): Statements {
  const message = 'id, key, payload, headers, published_at'
  return {
    addQueue: db.prepare('INSERT OR IGNORE INTO headrace_queues (name, partitions, depth_max) VALUES (?, ?, ?)'),
    findQueue: db.prepare('SELECT queue, partitions, depth_max FROM headrace_queues WHERE name = ?'),
    addMessage: db.prepare('INSERT INTO headrace_messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)'),
    nextMessages: db.prepare(`SELECT position, redeliveries, partition, ${message} FROM headrace_messages
      WHERE queue = ? AND partition = ? AND position > ? ORDER BY position LIMIT ?`),
    removeMessage: db.prepare('DELETE FROM headrace_messages WHERE queue = ? AND partition = ? AND position = ?'),
    moveToDead: db.prepare(`INSERT INTO headrace_dead SELECT queue, ?, partition, ${message}, ?, ?, ?, ?
      FROM headrace_messages WHERE queue = ? AND partition = ? AND position = ?`),
    mark: db.prepare('INSERT OR REPLACE INTO headrace_delivered VALUES (?, ?, ?)'),
    addDelayed: db.prepare('INSERT INTO headrace_delayed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    firstDelayed: db.prepare(`SELECT due_at, position, queue, partition, ${message} FROM headrace_delayed
      ORDER BY due_at, position LIMIT ?`),
    removeDelayed: db.prepare('DELETE FROM headrace_delayed WHERE due_at = ? AND position = ?'),
    nextDead: db.prepare(`SELECT position, partition, ${message}, reason, error, attempts, dead_at FROM headrace_dead
      WHERE queue = ? AND position > ? AND position <= ? ORDER BY position LIMIT 1`),
    removeDead: db.prepare('DELETE FROM headrace_dead WHERE queue = ? AND position = ?'),
  }
}

/** The columns of a message in the order of the tables. */
export function columnsOf(message: StoredMessage): (string | number | null)[] {
  const { key, headers, publishedAtMs } = message
  const texts = [toColumn(message.id), key === undefined ? null : toColumn(key), toColumn(message.payload)]
  for (const _ in headers) return [...texts, JSON.stringify(headers), publishedAtMs]
  return [...texts, null, publishedAtMs]
}

export function messageOf(row: Row): StoredMessage {
  const key = row['key'] as string | null
  return {
    id: fromColumn(row['id'] as string),
    key: key === null ? undefined : fromColumn(key),
    partition: row['partition'] as number,
    payload: fromColumn(row['payload'] as string),
    headers: row['headers'] === null ? noHeaders : (JSON.parse(row['headers'] as string) as Record<string, string>),
    publishedAtMs: row['published_at'] as number,
  }
}

const noHeaders: Readonly<Record<string, string>> = Object.freeze({})

export function deadOf(row: Row): DeadMessage {
  const info: DeadInfo = {
    reason: row['reason'] as DeadReason,
    error: fromColumn(row['error'] as string),
    attempts: row['attempts'] as number,
    deadAtMs: row['dead_at'] as number,
  }
  return { ...info, message: messageOf(row) }
}
