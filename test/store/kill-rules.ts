/** After each so many batches a series is deleted, which came with a batch so many before. */
export const DELETION_EVERY = 12;
export const DELETED_BEFORE = 7;
