/** What the sources call AGENT_APIS. */
export declare const define: { AGENT_APIS: string }
