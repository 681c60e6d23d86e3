package audit

// What can be done to what. A room that makes changes adds its own here, and
// docs/api.md explains each (a test compares them).
const (
	SuiteCreate Action = "suite.create"
	SuiteUpdate Action = "suite.update"
	SuiteDelete Action = "suite.delete"

	SuiteDomainCreate Action = "suite_domain.create"
	SuiteDomainUpdate Action = "suite_domain.update"
	SuiteDomainDelete Action = "suite_domain.delete"
	SuiteDomainCheck  Action = "suite_domain.check"

	TenantCreate    Action = "tenant.create" // of an internal suite, by an admin
	TenantUpdate    Action = "tenant.update"
	TenantDelete    Action = "tenant.delete"
	TenantAuthorize Action = "tenant.authorize" // by WeCom, as the next three
	TenantCancel    Action = "tenant.cancel"
	TenantResetCode Action = "tenant.reset_permanent_code"
	TenantAgents    Action = "tenant.replace_agents"

	TenantDomainCreate Action = "tenant_domain.create"
	TenantDomainUpdate Action = "tenant_domain.update"
	TenantDomainDelete Action = "tenant_domain.delete"
	TenantDomainCheck  Action = "tenant_domain.check"

	TenantAliasCreate Action = "tenant_alias.create"
	TenantAliasDelete Action = "tenant_alias.delete"

	TenantImport Action = "tenant.import" // by a row of an import
	ImportCreate Action = "import.create"
	ImportCancel Action = "import.cancel"
	ExportCreate Action = "export.create" // with secrets

	CredentialsRefresh Action = "credentials.refresh"
	AccessTokenRead    Action = "access_token.read" // handed out to a back end
	AccessTokenRefuse  Action = "access_token.refuse"
	EventRetry         Action = "event.retry"

	WebhookCreate Action = "webhook.create"
	WebhookUpdate Action = "webhook.update" // by the service, too: it disables what fails for long
	WebhookDelete Action = "webhook.delete"
	WebhookRotate Action = "webhook.rotate_secret"
	WebhookTest   Action = "webhook.test"
	WebhookReplay Action = "webhook.replay"

	APIKeyCreate Action = "api_key.create"
	APIKeyUpdate Action = "api_key.update"
	APIKeyRotate Action = "api_key.rotate"
	APIKeyRevoke Action = "api_key.revoke"

	KeyringCreate    Action = "keyring.create"
	KeyringRotate    Action = "keyring.rotate"
	KeyringReencrypt Action = "keyring.reencrypt"
	KeyringRetire    Action = "keyring.retire"

	DatabaseRestore Action = "database.restore" // an older state, of which the operator told
)
