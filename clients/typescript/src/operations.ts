/** Any request of the document, by its method and its path, with the types of both. */
import type { paths } from "./api.js";
import type { Abortable } from "./types.js";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

type Operation<M extends Method, P extends keyof paths> = paths[P] extends { [K in Lowercase<M>]: infer O }
  ? O
  : never;

/** The paths that take a method. */
export type PathOf<M extends Method> = {
  [P in keyof paths]: Operation<M, P> extends { responses: unknown } ? P : never;
}[keyof paths];

/** The paths of lists that have pages. */
export type PagedPath = {
  [P in PathOf<"GET">]: Answer<"GET", P> extends { data: readonly unknown[]; next: string | null } ? P : never;
}[PathOf<"GET">];

type JsonOf<R> = R extends { content: { "application/json": infer T } } ? T : undefined;

/** What is answered: JSON, or undefined where there is no content. */
export type Answer<M extends Method, P extends keyof paths> =
  Operation<M, P> extends { responses: infer R }
    ? { [S in keyof R]: S extends 200 | 201 | 202 | 204 ? JsonOf<R[S]> : never }[keyof R]
    : never;

/** An entry of a list that has pages. */
export type Entry<P extends PagedPath> =
  Answer<"GET", P> extends { data: readonly (infer T)[] } ? T : never;

type ParametersOf<O> = O extends { parameters: infer Q } ? Q : never;
type PathPart<O> = ParametersOf<O> extends { path: infer V } ? { path: V } : { path?: undefined };
type QueryPart<O> = ParametersOf<O> extends { query?: infer Q } ? { query?: Q | undefined } : { query?: undefined };
type BodyPart<O> = O extends { requestBody: { content: { "application/json": infer B } } }
  ? { body: B }
  : O extends { requestBody?: { content: { "application/json": infer B } } }
    ? { body?: B | undefined }
    : { body?: undefined };

export interface RequestOptions extends Abortable {
  /** Other headers, `If-Match` for one. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** With it a POST can be sent again, where the operation takes it. */
  idempotencyKey?: string | undefined;
}

/** What an operation takes. */
export type Options<M extends Method, P extends keyof paths> = PathPart<Operation<M, P>> &
  QueryPart<Operation<M, P>> &
  BodyPart<Operation<M, P>> &
  RequestOptions;

/** May be left out where nothing in it has to be given. */
export type Rest<O> = Partial<O> extends O ? [options?: O] : [options: O];
