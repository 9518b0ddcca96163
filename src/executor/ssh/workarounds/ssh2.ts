/**
 * ssh2, with what has to be replaced before it is loaded.
 *
 * @module
 */
import "./packet_cipher.ts";
// @ts-types="@types/ssh2"
export { default } from "ssh2";
