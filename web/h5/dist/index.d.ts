/** Why a page is not registered, and what to do. */
export declare class SuitesignError extends Error {
	/** Stable; act on it. The codes stand in docs/h5.md. */
	readonly code: string;
	/** What to do, in Chinese and in English. */
	readonly hint: Hint;
	/** The HTTP status of the service's answer; 0 where there was none. */
	readonly status: number;
	/** Names the request in the service's log; empty where no answer came. */
	readonly requestId: string;
	/** What the service said, in the language of the browser; may be empty. */
	readonly detail: string;
	/** After how many seconds the service wants to be asked again; 0 where it does not say. */
	readonly retryAfter: number;
	/** What the SDK or the client said, where the error is theirs. */
	readonly cause: unknown;
	/** The same as message, where code made for the SDK looks for it. */
	readonly errMsg: string;
	constructor(code: string, facts?: Facts, hint?: Hint);
}
/**
 * configureWx does wx.config and then, in WeCom and with an agentId, wx.agentConfig.
 * Both, in the order that every WeCom takes, because jweixin repeats the signature of
 * wx.config in each call. wx.error becomes ours: listen to the promise instead. Call
 * it again when the history API has changed the URL.
 */
export declare function configureWx(wx: Wx, options: WxOptions): Promise<Configured>;
/**
 * Registers the page for the URL that it is at, and resolves once the client has
 * accepted it. APIs of the SDK may be called at once: they wait.
 *
 * Call it again whenever the page must be registered, after a change of route for
 * example: while the registration still holds that costs nothing.
 */
export declare function registerSuite(options: SuiteOptions): Promise<Registered>;
/** A page that is registered. */
export interface Configured {
	/** agent: with the app's identity besides the corp's. */
	identity: "agent" | "corp";
	/** The page URL that was registered, without its hash. */
	url: string;
}
/** What else is known of an error. */
export interface Facts {
	status?: number;
	requestId?: string;
	detail?: string;
	retryAfter?: number;
	cause?: unknown;
}
/** What to do, in Chinese and in English. */
export interface Hint {
	zh: string;
	en: string;
}
/** A page that is registered. */
export interface Registered {
	/** Whose identity the client knows the page by: WeCom's the app's where agentId is given, else the corp's. */
	identity: "agent" | "corp";
	/** The page URL that was registered, without its hash. */
	url: string;
	/** Which APIs of jsApiList the client allows, by the client's names. */
	checkResult: {
		[api: string]: boolean;
	};
}
/** What a client answers to a registration. */
export interface RegistrationResult {
	errMsg: string;
	errCode: number;
	/** Which APIs of jsApiList the client allows, by the client's names. */
	checkResult?: {
		[api: string]: boolean;
	};
}
/** Whose page it is, and where it is signed. */
export interface Suite {
	/**
	 * The address of suitesign, for example https://sign.example.com. Left out: where
	 * suitesign.js was loaded from; with a bundler, the page's own origin.
	 */
	endpoint?: string;
	/** The corp that uses the page. */
	corpId: string;
	/** The suite; may be left out where the page's host leaves only one. */
	suiteId?: string;
	/** The app in the corp. Without it the page registers with the corp's identity only. */
	agentId?: number | string;
	/**
	 * Whether the service is told of registrations that the client refused (true unless
	 * false is set): it then has a revoked ticket fetched again, and the page registers again.
	 */
	report?: boolean;
}
/** Options of registerSuite: those of ww.register, but for the signatures, which suitesign makes. */
export interface SuiteOptions extends Suite {
	/** The APIs that the page calls, by the SDK's names. */
	jsApiList: string[];
	/** The open tags that the page uses, for example wx-open-launch-weapp. */
	openTagList?: string[];
	/** Told of every failed registration, the later ones of a single-page app too. */
	onError?: (error: SuitesignError) => void;
	onConfigSuccess?: (result: RegistrationResult) => void;
	onConfigFail?: (error: unknown) => void;
	onConfigComplete?: (result: unknown) => void;
	onAgentConfigSuccess?: (result: RegistrationResult) => void;
	onAgentConfigFail?: (error: unknown) => void;
	onAgentConfigComplete?: (result: unknown) => void;
}
/** What is used of wx, the older SDK (jweixin). */
export interface Wx {
	config(options: any): void;
	ready(done: () => void): void;
	error(failed: (result: any) => void): void;
	checkJsApi(options: any): void;
	agentConfig?(options: any): void;
	invoke?(name: string, params: any, done: (result: any) => void): void;
}
/** Options of configureWx. */
export interface WxOptions extends Suite {
	/** The APIs that the page calls. */
	jsApiList: string[];
	openTagList?: string[];
	/** wx.config's own debug. */
	debug?: boolean;
	/** wx.config's beta, which wx.invoke needs in WeCom; true unless set. */
	beta?: boolean;
	onError?: (error: SuitesignError) => void;
}

export {};
