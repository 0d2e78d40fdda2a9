# A key and two accounts that this app looks after, so that `terraform apply` undoes nothing that it does.

resource "azurerm_key_vault_key" "files" {
  name         = "files-key"
  key_vault_id = var.vault_id
  key_type     = "RSA"
  key_size     = 3072
  key_opts     = ["unwrapKey", "wrapKey"]

  lifecycle {
    # A revocation writes its record into the tags. Without this line the next apply removes it, and enables the version.
    ignore_changes = [tags]
  }
}

# Automatic: without a version Azure looks for a new one once a day, and the app moves the account at once.
resource "azurerm_storage_account" "automatic" {
  name                     = "stautomatic01"
  resource_group_name      = var.resource_group_name
  location                 = var.location
  account_tier             = "Standard"
  account_replication_type = "ZRS"

  identity {
    type         = "UserAssigned"
    identity_ids = [var.identity_id]
  }

  customer_managed_key {
    key_vault_key_id          = azurerm_key_vault_key.files.versionless_id
    user_assigned_identity_id = var.identity_id
  }
}

# Pinned: the app alone moves it from version to version. Terraform sets the first one, and leaves it alone from then on.
resource "azurerm_storage_account" "pinned" {
  name                     = "stpinned01"
  resource_group_name      = var.resource_group_name
  location                 = var.location
  account_tier             = "Standard"
  account_replication_type = "ZRS"

  identity {
    type         = "UserAssigned"
    identity_ids = [var.identity_id]
  }

  customer_managed_key {
    key_vault_key_id          = azurerm_key_vault_key.files.id
    user_assigned_identity_id = var.identity_id
  }

  lifecycle {
    ignore_changes = [customer_managed_key]
  }
}

variable "vault_id" {
  type        = string
  description = "ARM id of a vault with purge protection."
}

variable "identity_id" {
  type        = string
  description = "ARM id of an identity with Key Vault Crypto Service Encryption User on the vault."
}

variable "resource_group_name" {
  type = string
}

variable "location" {
  type = string
}
